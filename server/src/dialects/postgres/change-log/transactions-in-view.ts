/**
 * Transactions that were streamed and may not be visible to everyone yet. PostgreSQL logs and streams a commit before
 * it marks the transaction as ended; with a synchronous standby, it first waits for the standby's answer.
 */
const WRAP = 1n << 32n;

export class TransactionsInView {
  #unseen = new Set<number>();

  get isEmpty(): boolean {
    return this.#unseen.size === 0;
  }

  /** @param xid the low 32 bits of the transaction's number, which is what the stream contains */
  streamed(xid: number): void {
    this.#unseen.add(xid >>> 0);
  }

  /**
   * Forgets the transactions that have ended in this snapshot.
   * @param snapshot `xmin:xmax:xip,…` of `pg_current_snapshot()`
   */
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
