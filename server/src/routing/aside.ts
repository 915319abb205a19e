import type { Clock } from '../runtime/index.ts';

/** How long a member that could not be used is left alone; twice as long each time in a row, up to the bound. */
const FIRST_MS = 500;
const LONGEST_MS = 30_000;
/** After so long without a new reason the next one counts as the first again. */
const FORGOTTEN_AFTER_MS = 60_000;
const MAX_MEMBERS = 1_000;

interface Entry {
  sinceMs: number;
  forMs: number;
}

/** Members that are not forwarded to for a while. */
export class Aside {
  readonly #clock: Pick<Clock, 'nowMs'>;
  readonly #entries = new Map<string, Entry>();

  constructor(clock: Pick<Clock, 'nowMs'>) {
    this.#clock = clock;
  }

  has(instance: string): boolean {
    const entry = this.#entries.get(instance);
    return entry !== undefined && this.#clock.nowMs() < entry.sinceMs + entry.forMs;
  }

  /** Answers whether it was not aside before: calls that were under way together fail together and count once. */
  put(instance: string): boolean {
    if (this.has(instance)) return false;
    const nowMs = this.#clock.nowMs();
    const before = this.#entries.get(instance);
    const isAgain =
      before !== undefined && nowMs < before.sinceMs + before.forMs + FORGOTTEN_AFTER_MS;
    this.#entries.delete(instance);
    this.#entries.set(instance, {
      sinceMs: nowMs,
      forMs: isAgain ? Math.min(before.forMs * 2, LONGEST_MS) : FIRST_MS,
    });
    for (const oldest of this.#entries.keys()) {
      if (this.#entries.size <= MAX_MEMBERS) break;
      this.#entries.delete(oldest);
    }
    return true;
  }
}
