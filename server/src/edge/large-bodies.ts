import type { IncomingMessage, ServerResponse } from 'node:http';

/** Smaller bodies are not worth counting: the bound on connections bounds them. */
const SMALL_BYTES = 16 * 1024;

/**
 * Bodies that are held until their requests are answered: of writes that wait for a key, and of slow senders.
 * Invariant: `bytes` is what requests in flight may hold in large bodies, and never exceeds the bound.
 */
export class LargeBodies {
  readonly #maxBytes: number;
  readonly #maxBodyBytes: number;
  #bytes = 0;

  /** @param maxBodyBytes bound on what is held of one body, however long its sender says it is */
  constructor(maxBytes: number, maxBodyBytes: number) {
    this.#maxBytes = maxBytes;
    this.#maxBodyBytes = maxBodyBytes;
  }

  get bytes(): number {
    return this.#bytes;
  }

  /** Counts a request's body until its answer is out; false: it is one too many. */
  admit(request: IncomingMessage, response: ServerResponse): boolean {
    const bytes = largeBytesOf(request, this.#maxBodyBytes);
    if (bytes === 0) return true;
    if (this.#bytes + bytes > this.#maxBytes) return false;
    this.#bytes += bytes;
    response.once('close', () => (this.#bytes -= bytes));
    return true;
  }
}

/** The length that a request announces for its body; without one, the most that may be held of it. */
function largeBytesOf({ headers }: IncomingMessage, mostBytes: number): number {
  const length = headers['content-length'];
  if (length === undefined) return headers['transfer-encoding'] === undefined ? 0 : mostBytes;
  const bytes = Math.min(Number(length), mostBytes);
  return bytes > SMALL_BYTES ? bytes : 0;
}
