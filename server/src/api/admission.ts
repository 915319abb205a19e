import { FairShare, LockstepError } from '../domain/index.ts';

/**
 * Admits calls up to a bound that callers share fairly, and writes only until the instance stops.
 * Invariant: a place is taken exactly while an admitted call is in flight.
 */
export class Admission {
  readonly #share: FairShare;
  readonly #what: 'reads' | 'writes';
  readonly #draining: () => boolean;

  constructor(what: 'reads' | 'writes', limit: number, draining: () => boolean = () => false) {
    this.#share = new FairShare(limit);
    this.#what = what;
    this.#draining = draining;
  }

  /**
   * @param caller whose share the place counts against
   * @throws LockstepError `SHUTTING_DOWN`, `RATE_LIMITED`; nothing of `call` has run then
   */
  async run<T>(caller: string, call: () => Promise<T>): Promise<T> {
    this.enter(caller);
    try {
      return await call();
    } finally {
      this.leave(caller);
    }
  }

  /** Takes a place that must be given back with `leave`. @throws LockstepError as `run` */
  enter(caller: string): void {
    if (this.#draining()) {
      throw new LockstepError(
        'SHUTTING_DOWN',
        'This instance takes no more writes; another one does.',
      );
    }
    if (!this.#share.take(caller)) {
      throw new LockstepError(
        'RATE_LIMITED',
        `Too many ${this.#what} are in flight: ${this.#share.limit} in this instance, or this caller’s share of them.`,
      );
    }
  }

  leave(caller: string): void {
    this.#share.giveBack(caller);
  }
}
