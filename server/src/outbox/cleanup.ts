/**
 * Removes rows whose cache step is done (of the outbox, or of calls of `lockstep_invalidate`), in batches and off the path
 * of whoever did it.
 *
 * States: empty; waiting (ids collected, a timer runs); removing (one statement in flight; further ids are collected meanwhile).
 *
 * Invariants
 *   - one removal at a time, of at most BATCH_IDS
 *   - at most MAX_WAITING ids are held; further ids, and those of a failed removal, are dropped and counted: their rows
 *     are found again, the tombstone is repeated, and they are removed
 *   - no timer is set while nothing is to be removed
 */
import type { Runtime, Timer } from '../runtime/index.ts';
import type { OutboxStore } from './port.ts';

const BATCH_IDS = 500;
const BATCH_WAIT_MS = 50;
const MAX_WAITING = 20_000;

export class OutboxCleanup {
  readonly #store: Pick<OutboxStore, 'remove'>;
  readonly #runtime: Runtime;
  #waiting: string[] = [];
  #timer: Timer | null = null;
  #removing: Promise<void> | null = null;
  /** The ids that are collected or being removed. */
  readonly #held = new Set<string>();
  #removed = 0;
  #failed = 0;
  #isFailing = false;

  constructor(store: Pick<OutboxStore, 'remove'>, runtime: Runtime) {
    this.#store = store;
    this.#runtime = runtime;
  }

  /** Notes that the row's cache step is done. Returns at once and never throws. */
  add(id: string): void {
    if (this.#waiting.length >= MAX_WAITING) {
      this.#failed += 1;
      return;
    }
    this.#waiting.push(id);
    this.#held.add(id);
    if (this.#removing === null) this.#beginInTime();
  }

  /** Whether the row is about to be removed, so that its cache step need not be repeated. */
  has(id: string): boolean {
    return this.#held.has(id);
  }

  /** Totals since start: rows removed, and rows left to the relay because their removal failed. */
  counts(): { removed: number; failed: number } {
    return { removed: this.#removed, failed: this.#failed };
  }

  /** Removes the collected ids and resolves when that has ended; later ids are still accepted. Never rejects. */
  async stop(): Promise<void> {
    while (this.#removing !== null || this.#waiting.length > 0) {
      if (this.#removing === null) this.#begin();
      await this.#removing;
    }
  }

  /** Begins at once with a full batch; else when BATCH_WAIT_MS are over. */
  #beginInTime(): void {
    if (this.#waiting.length >= BATCH_IDS) this.#begin();
    else if (this.#waiting.length > 0)
      this.#timer ??= this.#runtime.timers.after(BATCH_WAIT_MS, () => this.#begin());
  }

  #begin(): void {
    this.#timer?.cancel();
    this.#timer = null;
    if (this.#removing !== null || this.#waiting.length === 0) return;
    const batch = this.#waiting.splice(0, BATCH_IDS);
    this.#removing = this.#remove(batch).then(() => {
      for (const id of batch) this.#held.delete(id);
      this.#removing = null;
      this.#beginInTime();
    });
  }

  async #remove(ids: readonly string[]): Promise<void> {
    try {
      await this.#store.remove(ids);
      this.#removed += ids.length;
      this.#isFailing = false;
    } catch (error) {
      this.#failed += ids.length;
      if (this.#isFailing) return;
      this.#isFailing = true;
      const { log } = this.#runtime;
      log.warn(
        { err: error },
        'could not remove rows whose cache step is done; the step will be repeated',
      );
    }
  }
}
