import type { IncomingMessage, ServerResponse } from 'node:http';

/** A body of up to so many bytes is not worth counting: connections bound how many there are. */
const SMALL_BYTES = 16 * 1024;

/**
 * Bodies that are held until their requests are answered: those of writes that wait for a key, and those whose senders
 * take their time.
 * Invariant: `bytes` is what requests under way may hold in bodies that are not small; it never exceeds the bound.
 */
export class LargeBodies {
  readonly #maxBytes: number;
  readonly #maxBodyBytes: number;
  #bytes = 0;

  /** @param maxBodyBytes what is held of one body at most, whatever its sender says */
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

/** What a request says that its body has; of one that does not say it, what may be held of it. */
function largeBytesOf({ headers }: IncomingMessage, mostBytes: number): number {
  const length = headers['content-length'];
  if (length === undefined) return headers['transfer-encoding'] === undefined ? 0 : mostBytes;
  const bytes = Math.min(Number(length), mostBytes);
  return bytes > SMALL_BYTES ? bytes : 0;
}
