import type { Runtime } from '../runtime/index.ts';

/** Texts that are made at once where nobody has asked for long. */
const AT_ONCE = 5;

/**
 * A text that is dear to make. Each who asks gets one that was made after he asked, and all who ask before it is made
 * get the same. A few are made at once, then one in `everyMs`: whoever asks more often waits for the next one.
 */
export class TextSnapshot {
  readonly #make: () => Promise<string>;
  readonly #everyMs: number;
  readonly #runtime: Pick<Runtime, 'clock' | 'timers'>;
  #next: Promise<string> | null = null;
  /** When the next one is due, as if each took `everyMs`. */
  #dueMs = -Infinity;

  constructor(
    make: () => Promise<string>,
    everyMs: number,
    runtime: Pick<Runtime, 'clock' | 'timers'>,
  ) {
    this.#make = make;
    this.#everyMs = everyMs;
    this.#runtime = runtime;
  }

  /** Rejects as `make` does, for those who wait for that one. */
  text(): Promise<string> {
    return (this.#next ??= this.#makeWhenDue());
  }

  async #makeWhenDue(): Promise<string> {
    const { clock, timers } = this.#runtime;
    const nowMs = clock.nowMs();
    const dueMs = Math.max(this.#dueMs, nowMs);
    this.#dueMs = dueMs + this.#everyMs;
    await timers.sleep(Math.max(0, dueMs - nowMs - (AT_ONCE - 1) * this.#everyMs));
    // Who asks from here on may know something that this text does not hold.
    this.#next = null;
    return this.#make();
  }
}
