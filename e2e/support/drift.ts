import type { DriftClass, Row } from '@lockstep/shared';
import type { SideDoor } from './side-door.ts';

const LIFE_MS = 300_000;

/** Writes a value entry as a fault or an ill-behaved program would leave it. */
export async function forgeValue(
  behind: SideDoor,
  cacheKey: string,
  version: number,
  row: Row | null,
): Promise<void> {
  const header = { s: 'value', v: version, f: 1, t: Date.now() };
  await behind.cache.set(
    cacheKey,
    `${JSON.stringify(header)}\n${JSON.stringify(row)}`,
    'PX',
    LIFE_MS,
  );
}

/**
 * Makes the entry of a key that is cached as `row` at `version` disagree with the database, in the way of this class.
 * `removeRow` deletes the row behind Lockstep's back.
 */
export async function makeDrift(
  behind: SideDoor,
  driftClass: DriftClass,
  target: { cacheKey: string; version: number; row: Row; removeRow: () => Promise<unknown> },
): Promise<void> {
  const { cacheKey, version, row } = target;
  switch (driftClass) {
    case 'stale':
      return forgeValue(behind, cacheKey, version, { ...row, text: 'forged', memo: 'forged' });
    case 'orphan':
      await target.removeRow();
      return forgeValue(behind, cacheKey, version, row);
    case 'negative-stale':
      return forgeValue(behind, cacheKey, version, null);
    case 'corrupt':
      await behind.cache.set(cacheKey, '{"s":"value","v":1', 'PX', LIFE_MS);
      return;
    case 'no-ttl':
      await forgeValue(behind, cacheKey, version, row);
      await behind.cache.persist(cacheKey);
  }
}
