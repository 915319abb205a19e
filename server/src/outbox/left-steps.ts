/** Does what writes of one row have left to do in the cache, before the relay comes to it. */
import type { EntryStore } from '../cache/port.ts';
import { type Key, LockstepError, type Resource } from '../domain/index.ts';
import type { OutboxCleanup } from './cleanup.ts';
import { judgeDelivery, planDelivery } from './delivery.ts';
import { invalidateAll } from './invalidate-all.ts';
import type { LeftSteps, OutboxStore } from './port.ts';

/** With more steps than these, the row is left to the relay. */
const MAX_ROWS = 100;

export interface LeftStepsOptions {
  store: Pick<OutboxStore, 'leftOf'>;
  entries: Pick<EntryStore, 'invalidateMany'>;
  cleanup: Pick<OutboxCleanup, 'add' | 'has'>;
  resources: ReadonlyMap<string, Resource>;
}

/**
 * @param fromVersion of the first write that is asked about; steps of later writes of the row are done too
 * @returns whether nothing is left to do now; false too where the database or the cache does not answer
 */
export async function doLeftSteps(
  { store, entries, cleanup, resources }: LeftStepsOptions,
  key: Key,
  fromVersion: number,
): Promise<boolean> {
  const row = { resource: key.rows, keyText: key.rowText, fromVersion };
  const left = await leftOf(store, row);
  if (left === null || left.hasDeadLetters || left.rows.length === MAX_ROWS) return false;
  const rows = left.rows.filter(({ id }) => !cleanup.has(id));
  if (rows.length === 0) return true;
  const plan = planDelivery(rows, resources);
  const results = await invalidateAll(entries, plan.invalidations);
  const decisions = judgeDelivery(plan, results, () => 0);
  const done = decisions.filter(({ decision }) => decision === 'done');
  for (const { id } of done) cleanup.add(id);
  return done.length === rows.length;
}

/** Null where the database does not answer. */
async function leftOf(
  store: Pick<OutboxStore, 'leftOf'>,
  row: Parameters<OutboxStore['leftOf']>[0],
): Promise<LeftSteps | null> {
  try {
    return await store.leftOf(row, MAX_ROWS);
  } catch (error) {
    if (error instanceof LockstepError && error.code === 'DATABASE_UNAVAILABLE') return null;
    throw error;
  }
}
