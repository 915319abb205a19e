import type { ServerResponse } from 'node:http';

/** Shorter answers are not worth counting: connections bound how many there are. */
const LARGE_CHARACTERS = 256 * 1024;

/**
 * Answers of many KiB that their readers have not taken yet. Beyond the bound the edge would cut connections; a caller
 * whose answer is one too many hears so.
 * Invariant: those that were admitted are at most `maxBytes` together.
 */
export class LargeAnswers {
  readonly #maxBytes: number;
  #bytes = 0;

  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes;
  }

  /** Counts an answer until it is out; false: it is one too many. */
  admit(text: string, response: Pick<ServerResponse, 'closed' | 'once'>): boolean {
    if (text.length < LARGE_CHARACTERS || response.closed) return true;
    const bytes = Buffer.byteLength(text);
    if (this.#bytes + bytes > this.#maxBytes) return false;
    this.#bytes += bytes;
    response.once('close', () => (this.#bytes -= bytes));
    return true;
  }
}
