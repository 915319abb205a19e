import { LockstepError } from './errors.ts';

/** Lets calls in until the client is closed. */
export class Gate {
  #inFlight = 0;
  #closed: (() => void) | null = null;
  #closing: Promise<void> | null = null;

  /** @throws LockstepError `CLOSED` */
  assertOpen(): void {
    if (this.#closing !== null) throw closed();
  }

  /** A call begins. @throws LockstepError `CLOSED` */
  enter(): void {
    this.assertOpen();
    this.#inFlight += 1;
  }

  leave(): void {
    this.#inFlight -= 1;
    if (this.#inFlight === 0) this.#closed?.();
  }

  /** Rejects with what the call rejects with, or `CLOSED`. */
  pass<T>(call: () => Promise<T>): Promise<T> {
    if (this.#closing !== null) return Promise.reject(closed());
    this.#inFlight += 1;
    const result = call();
    const leave = (): void => this.leave();
    result.then(leave, leave);
    return result;
  }

  /** Resolves when the calls in flight have ended. */
  close(): Promise<void> {
    this.#closing ??= new Promise((resolve) => {
      this.#closed = resolve;
      if (this.#inFlight === 0) resolve();
    });
    return this.#closing;
  }
}

const closed = (): LockstepError => new LockstepError('CLOSED', 'The client is closed.');
