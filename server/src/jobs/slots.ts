/** Bounds how many things run at once; the others wait, first come first served. */
export class Slots {
  readonly #width: number;
  #busy = 0;
  readonly #waiting = new Set<() => void>();

  constructor(width: number) {
    this.#width = width;
  }

  /** Runs `work` when there is a slot; resolves with null, without running it, where `signal` aborts first. */
  async use<T>(signal: AbortSignal, work: () => Promise<T>): Promise<T | null> {
    while (this.#busy >= this.#width && !signal.aborted) await this.#freed(signal);
    if (signal.aborted) return null;
    this.#busy += 1;
    try {
      return await work();
    } finally {
      this.#busy -= 1;
      const [first] = this.#waiting;
      first?.();
    }
  }

  #freed(signal: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      const done = (): void => {
        this.#waiting.delete(done);
        signal.removeEventListener('abort', done);
        resolve();
      };
      this.#waiting.add(done);
      signal.addEventListener('abort', done);
    });
  }
}
