import type { Runtime } from '../runtime/index.ts';

/** Texts that are made without waiting after a quiet time. */
const AT_ONCE = 5;

/**
 * A text that is expensive to make. A caller gets a text that was made after it asked, and callers that wait at the same
 * time share one. A few are made without waiting, then one every `everyMs`.
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

  /** Rejects as `make` does, for the callers that wait for that text. */
  text(): Promise<string> {
    return (this.#next ??= this.#makeWhenDue());
  }

  async #makeWhenDue(): Promise<string> {
    const { clock, timers } = this.#runtime;
    const nowMs = clock.nowMs();
    const dueMs = Math.max(this.#dueMs, nowMs);
    this.#dueMs = dueMs + this.#everyMs;
    await timers.sleep(Math.max(0, dueMs - nowMs - (AT_ONCE - 1) * this.#everyMs));
    // A caller that asks from here on may know of changes that this text does not have.
    this.#next = null;
    return this.#make();
  }
}
