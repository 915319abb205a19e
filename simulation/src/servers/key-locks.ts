/** One transaction that may lock keys until it ends. */
export interface Transaction {
  isOver: boolean;
}

interface Locked {
  by: Transaction;
  waiting: (() => void)[];
}

/** Row locks by key. Statements on a locked key wait, first come, first served. */
export class KeyLocks {
  readonly #locked = new Map<string, Locked>();

  /** Runs when the key is not locked: at once, or later. */
  whenFree<T>(name: string, run: () => T): T | Promise<T> {
    const locked = this.#locked.get(name);
    if (locked === undefined) return run();
    return new Promise<T>((resolve, reject) => {
      locked.waiting.push(() => {
        try {
          resolve(run());
        } catch (error) {
          reject(error instanceof Error ? error : new Error(String(error)));
        }
      });
    });
  }

  /** Runs when none of the keys is locked. */
  async whenAllFree<T>(names: readonly string[], run: () => T): Promise<T> {
    for (;;) {
      const locked = names.find((name) => this.#locked.has(name));
      if (locked === undefined) return run();
      await this.whenFree(locked, () => null);
    }
  }

  /** Locks a key that is free. */
  lock(name: string, by: Transaction): void {
    if (this.#locked.has(name)) throw new Error(`${name} is locked already`);
    this.#locked.set(name, { by, waiting: [] });
  }

  /** Ends a transaction and releases its locks. */
  end(transaction: Transaction): void {
    transaction.isOver = true;
    for (const [name, { by, waiting }] of [...this.#locked]) {
      if (by !== transaction) continue;
      this.#locked.delete(name);
      this.#letGo(name, waiting);
    }
  }

  /** Runs those that waited, until one of them locks the key again. */
  #letGo(name: string, waiting: (() => void)[]): void {
    for (let next = waiting.shift(); next !== undefined; next = waiting.shift()) {
      next();
      const again = this.#locked.get(name);
      if (again === undefined) continue;
      again.waiting.push(...waiting);
      return;
    }
  }
}
