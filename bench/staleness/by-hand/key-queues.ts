/** Lets at most one caller of this process hold each key at a time, in the order of their calls. */
export class KeyQueues {
  readonly #last = new Map<number, Promise<unknown>>();

  hold<T>(key: number, work: () => Promise<T>): Promise<T> {
    const before = this.#last.get(key) ?? Promise.resolve();
    // A failure is reported to its own caller; the next holder starts anyway.
    const held = before.catch(() => undefined).then(work);
    this.#last.set(key, held);
    const forget = (): void => {
      if (this.#last.get(key) === held) this.#last.delete(key);
    };
    void held.then(forget, forget);
    return held;
  }
}
