import type { Runtime } from '../runtime/index.ts';

/** A text that is dear to make: made at most once in `maxAgeMs`, and shared by all who ask meanwhile. */
export class TextSnapshot {
  readonly #make: () => Promise<string>;
  readonly #maxAgeMs: number;
  readonly #clock: Runtime['clock'];
  #made: Promise<string> | null = null;
  #madeAtMs = 0;

  constructor(make: () => Promise<string>, maxAgeMs: number, clock: Runtime['clock']) {
    this.#make = make;
    this.#maxAgeMs = maxAgeMs;
    this.#clock = clock;
  }

  /** Rejects as `make` does; the next one then makes it anew. */
  text(): Promise<string> {
    const nowMs = this.#clock.nowMs();
    if (this.#made === null || nowMs - this.#madeAtMs >= this.#maxAgeMs) {
      this.#madeAtMs = nowMs;
      const made = this.#make();
      this.#made = made;
      made.catch(() => {
        if (this.#made === made) this.#made = null;
      });
    }
    return this.#made;
  }
}
