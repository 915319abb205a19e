/**
 * Transactions that were streamed and may not be seen by everyone yet: PostgreSQL writes a commit to its log, and
 * streams it, a moment before it takes the transaction out of those that run (for as long as a synchronous standby
 * takes to answer).
 */
const WRAP = 1n << 32n;

export class TransactionsInView {
  #unseen = new Set<number>();

  get isEmpty(): boolean {
    return this.#unseen.size === 0;
  }

  /** @param xid the low 32 bits of its number, as the stream has it */
  streamed(xid: number): void {
    this.#unseen.add(xid >>> 0);
  }

  /** Forgets those that this snapshot sees as ended. @param snapshot `xmin:xmax:xip,…` of `pg_current_snapshot()` */
  look(snapshot: string): void {
    const [, xmaxText = '0', running = ''] = snapshot.split(':');
    const xmax = BigInt(xmaxText);
    const runs = new Set(running === '' ? [] : running.split(',').map((xid) => BigInt(xid)));
    for (const xid of this.#unseen) {
      const full = near(xmax, BigInt(xid));
      if (full < xmax && !runs.has(full)) this.#unseen.delete(xid);
    }
  }

  clear(): void {
    this.#unseen.clear();
  }
}

/** The number with these low 32 bits that is nearest to `xmax`. */
function near(xmax: bigint, low: bigint): bigint {
  const full = xmax - (xmax % WRAP) + low;
  if (full > xmax + WRAP / 2n) return full - WRAP;
  if (full + WRAP / 2n < xmax) return full + WRAP;
  return full;
}
