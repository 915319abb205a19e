/**
 * A limited number of places, which one caller cannot take all.
 *
 * Invariants
 *   - At most `limit` places are taken.
 *   - A caller that has a quarter of them or more gets another one only if a quarter stays free for others. So a single
 *     caller may have three quarters, and others still find places.
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

  /** Takes a place for a caller. Returns false if it gets none now. */
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
