/** Work on one key, one after the other, within this process. */
export class Turns {
  readonly #last = new Map<number, Promise<unknown>>();

  hold<T>(key: number, work: () => Promise<T>): Promise<T> {
    const before = this.#last.get(key) ?? Promise.resolve();
    // A failure has been reported to its own caller; the next one starts anyway.
    const turn = before.catch(() => undefined).then(work);
    this.#last.set(key, turn);
    const forget = (): void => {
      if (this.#last.get(key) === turn) this.#last.delete(key);
    };
    void turn.then(forget, forget);
    return turn;
  }
}
