/**
 * Removes outbox rows after their own writer has done their cache step, in batches and off the writer's path.
 *
 * States: empty; waiting (ids collected, a timer runs); removing (one statement in flight; further ids are collected meanwhile).
 *
 * Invariants
 *   - one removal at a time, of at most BATCH_IDS
 *   - at most MAX_WAITING ids are held; further ids, and those of a failed removal, are dropped and counted: the relay
 *     finds their rows, repeats the tombstone and removes them
 */
import type { Runtime, Timer } from '../runtime/index.ts';
import type { OutboxStore } from './port.ts';

const BATCH_IDS = 500;
const BATCH_WAIT_MS = 50;
const MAX_WAITING = 20_000;

export interface OutboxCleanupOptions {
  store: Pick<OutboxStore, 'remove'>;
  runtime: Runtime;
}

export interface OutboxCleanup {
  /** Notes that the row's cache step is done. Returns at once and never throws. */
  add(id: string): void;
  /** Totals since start: rows removed, and rows left to the relay because their removal failed. */
  counts(): { removed: number; failed: number };
  /** Removes the collected ids and resolves when that has ended; later ids are still accepted. Never rejects. */
  stop(): Promise<void>;
}

/** Creates the cleanup; it has no timer while nothing is to be removed. */
export function createOutboxCleanup(options: OutboxCleanupOptions): OutboxCleanup {
  return new BatchedCleanup(options);
}

class BatchedCleanup implements OutboxCleanup {
  readonly #store: Pick<OutboxStore, 'remove'>;
  readonly #runtime: Runtime;
  #waiting: string[] = [];
  #timer: Timer | null = null;
  #removing: Promise<void> | null = null;
  #removed = 0;
  #failed = 0;
  #isFailing = false;

  constructor({ store, runtime }: OutboxCleanupOptions) {
    this.#store = store;
    this.#runtime = runtime;
  }

  add(id: string): void {
    if (this.#waiting.length >= MAX_WAITING) {
      this.#failed += 1;
      return;
    }
    this.#waiting.push(id);
    if (this.#removing !== null) return;
    if (this.#waiting.length >= BATCH_IDS) this.#begin();
    else this.#timer ??= this.#runtime.timers.after(BATCH_WAIT_MS, () => this.#begin());
  }

  counts(): { removed: number; failed: number } {
    return { removed: this.#removed, failed: this.#failed };
  }

  async stop(): Promise<void> {
    while (this.#removing !== null || this.#waiting.length > 0) {
      if (this.#removing === null) this.#begin();
      await this.#removing;
    }
  }

  #begin(): void {
    this.#timer?.cancel();
    this.#timer = null;
    if (this.#removing !== null || this.#waiting.length === 0) return;
    const batch = this.#waiting.splice(0, BATCH_IDS);
    this.#removing = this.#remove(batch).then(() => {
      this.#removing = null;
      if (this.#waiting.length >= BATCH_IDS) this.#begin();
      else if (this.#waiting.length > 0) {
        this.#timer ??= this.#runtime.timers.after(BATCH_WAIT_MS, () => this.#begin());
      }
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
      this.#runtime.log.warn(
        { err: error },
        'could not remove finished outbox rows; the relay will',
      );
    }
  }
}
