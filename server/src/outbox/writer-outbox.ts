/** What the outbox does for writers, whose port it is (`WriterOutbox`). */
import type { EntryStore } from '../cache/port.ts';
import { type Key, LockstepError } from '../domain/index.ts';
import type { OutboxCleanup } from './cleanup.ts';
import { judgeDelivery, planDelivery } from './delivery.ts';
import { invalidateAll } from './invalidate-all.ts';
import type { AskedInvalidation, KnownResources, LeftSteps, OutboxStore } from './port.ts';
import type { OutboxRelay } from './relay.ts';

/** With more steps than these, the row is left to the relay. */
const MAX_LEFT_STEPS = 100;

export interface WriterOutboxOptions extends KnownResources {
  store: Pick<OutboxStore, 'append' | 'leftOf'>;
  relay: Pick<OutboxRelay, 'wake'>;
  cleanup: Pick<OutboxCleanup, 'add' | 'has'>;
  entries: Pick<EntryStore, 'invalidateMany'>;
}

export class OutboxForWriters {
  readonly #options: WriterOutboxOptions;

  constructor(options: WriterOutboxOptions) {
    this.#options = options;
  }

  finished(outboxId: string): void {
    this.#options.cleanup.add(outboxId);
  }

  wake(): void {
    this.#options.relay.wake();
  }

  append(items: readonly AskedInvalidation[]): Promise<void> {
    return this.#options.store.append(items);
  }

  /** False too where the database or the cache does not answer. Steps of later writes of the row are done as well. */
  async doLeftSteps(key: Key, fromVersion: number): Promise<boolean> {
    const { cleanup, entries } = this.#options;
    const left = await this.#leftOf(key, fromVersion);
    if (left === null || left.hasDeadLetters || left.rows.length === MAX_LEFT_STEPS) return false;
    const rows = left.rows.filter(({ id }) => !cleanup.has(id));
    const plan = planDelivery(rows, this.#options);
    const results = await invalidateAll(entries, plan.invalidations);
    const done = judgeDelivery(plan, results, () => 0).filter(
      ({ decision }) => decision === 'done',
    );
    for (const { id } of done) cleanup.add(id);
    return done.length === rows.length;
  }

  /** Null where the database does not answer. */
  async #leftOf({ rows, rowText }: Key, fromVersion: number): Promise<LeftSteps | null> {
    const row = { resource: rows, keyText: rowText, fromVersion };
    try {
      return await this.#options.store.leftOf(row, MAX_LEFT_STEPS);
    } catch (error) {
      if (error instanceof LockstepError && error.code === 'DATABASE_UNAVAILABLE') return null;
      throw error;
    }
  }
}
