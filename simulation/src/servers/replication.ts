/**
 * A replica of the cache. It has everything that it was told, in order, and not yet what came after it: a failover takes
 * the cache back to any of the states in between.
 */
export class Replication<Value> {
  readonly #replica = new Map<string, Value>();
  /** What the replica may lack, the oldest first; undefined: the key is gone. */
  #unsent: { key: string; value: Value | undefined }[] = [];
  /** Counts the failovers. */
  epoch = 0;

  changed(key: string, value: Value | undefined): void {
    this.#unsent.push({ key, value });
  }

  /** From now on the replica has everything. */
  catchUp(): void {
    this.#take(this.#unsent.length);
  }

  /**
   * The replica takes the master's place.
   * @param share how much of what it may lack it has after all, from 0 to 1
   * @returns its state, and the keys that may have changed by it
   */
  failOver(share: number): { state: ReadonlyMap<string, Value>; keys: string[] } {
    this.#take(Math.floor(this.#unsent.length * share));
    const keys = [...new Set(this.#unsent.map(({ key }) => key))];
    this.#unsent = [];
    this.epoch += 1;
    return { state: new Map(this.#replica), keys };
  }

  #take(count: number): void {
    for (const { key, value } of this.#unsent.splice(0, count)) {
      if (value === undefined) this.#replica.delete(key);
      else this.#replica.set(key, value);
    }
  }
}
