/**
 * Places of a bounded number, none of which one caller can have all.
 *
 * Invariants
 *   - At most `limit` places are taken.
 *   - Whoever has a quarter of them or more gets another one only where a quarter is left for others. So one caller
 *     alone may have three quarters, and each of those who come then still finds a place.
 */
export class FairShare {
  readonly limit: number;
  readonly #share: number;
  readonly #taken = new Map<string, number>();
  #total = 0;

  constructor(limit: number) {
    this.limit = limit;
    this.#share = Math.ceil(limit / 4);
  }

  /** Takes a place for a caller; false: it gets none now. */
  take(caller: string): boolean {
    const own = this.#taken.get(caller) ?? 0;
    const most = own < this.#share ? this.limit : this.limit - this.#share;
    if (this.#total >= most) return false;
    this.#total += 1;
    this.#taken.set(caller, own + 1);
    return true;
  }

  /** Gives one of the caller's places back. */
  giveBack(caller: string): void {
    const own = this.#taken.get(caller) ?? 0;
    if (own === 0) return;
    this.#total -= 1;
    if (own === 1) this.#taken.delete(caller);
    else this.#taken.set(caller, own - 1);
  }
}
