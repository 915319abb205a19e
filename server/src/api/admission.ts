import { LockstepError } from '../domain/index.ts';

/**
 * Lets writes in, up to a bound, until the instance stops.
 * Invariant: `inFlight` is the number of writes that were let in and have not settled; it never exceeds the bound.
 */
export class WriteAdmission {
  readonly #limit: number;
  readonly #draining: () => boolean;
  #inFlight = 0;

  constructor(limit: number, draining: () => boolean) {
    this.#limit = limit;
    this.#draining = draining;
  }

  /** @throws LockstepError `SHUTTING_DOWN`, `RATE_LIMITED`; nothing of `write` has run then */
  async run<T>(write: () => Promise<T>): Promise<T> {
    if (this.#draining()) {
      throw new LockstepError(
        'SHUTTING_DOWN',
        'This instance takes no more writes; another one does.',
      );
    }
    if (this.#inFlight >= this.#limit) {
      throw new LockstepError(
        'RATE_LIMITED',
        `${this.#limit} writes are under way in this instance.`,
      );
    }
    this.#inFlight += 1;
    try {
      return await write();
    } finally {
      this.#inFlight -= 1;
    }
  }
}
