import type { Client, Dispatcher } from 'undici';

/** A request in the form of undici's lowest level. */
type Request = Pick<Dispatcher.DispatchOptions, 'method' | 'path' | 'headers' | 'body'>;

/**
 * Sends a request and waits for its answer. `dispatch` is undici's lowest level; the client shares the cores with
 * everything that it measures.
 * @param isFailure whether an answer with status 200 is a failure, by its text. Default: never
 * @throws Error with the answer's text if its status is not 200, or if it is a failure
 */
export function acknowledged(
  client: Client,
  request: Request,
  isFailure?: (text: string) => boolean,
): Promise<void> {
  return new Promise((resolve, reject) => {
    client.dispatch(request, new Acknowledgement(resolve, reject, isFailure));
  });
}

class Acknowledgement implements Dispatcher.DispatchHandler {
  readonly #resolve: () => void;
  readonly #reject: (error: Error) => void;
  readonly #isFailure: ((text: string) => boolean) | undefined;
  #status = 0;
  #text = '';

  constructor(
    resolve: () => void,
    reject: (error: Error) => void,
    isFailure: ((text: string) => boolean) | undefined,
  ) {
    this.#resolve = resolve;
    this.#reject = reject;
    this.#isFailure = isFailure;
  }

  onRequestStart(): void {
    // nothing to do before the answer, but undici distinguishes old and new handlers by this method
  }

  onResponseStart(_controller: unknown, status: number): void {
    this.#status = status;
  }

  onResponseData(_controller: unknown, chunk: Buffer): void {
    if (this.#status !== 200 || this.#isFailure !== undefined) this.#text += chunk.toString();
  }

  onResponseEnd(): void {
    if (this.#status === 200 && this.#isFailure?.(this.#text) !== true) this.#resolve();
    else this.#reject(new Error(`answered ${this.#status}: ${this.#text.slice(0, 500)}`));
  }

  onResponseError(_controller: unknown, error: Error): void {
    this.#reject(error);
  }
}
