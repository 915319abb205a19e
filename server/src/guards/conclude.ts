/**
 * How a guard ends, whoever says so. Nothing here needs the lock.
 *
 *   told that it committed:  what the database says of it -> publish
 *   otherwise:               raise the fence -> what the database says of it -> publish, or withdraw the intents
 *
 * Invariants kept here:
 *   W22 an intent is withdrawn only after the database has stored a fence as high as the guard's, so that no transaction
 *       of the guard can commit any more; until then it stays
 *   W23 what is answered of the caller's transaction is what the database says of it, once none can commit any more
 */
import type { CacheOutcome } from '@lockstep/shared';
import type { RowStore, VersionedRow } from '../database/port.ts';
import type { Key } from '../domain/index.ts';
import { publishIntents, type RowIntents, withdrawIntents } from '../writes/index.ts';
import type { WriteServiceOptions } from '../writes/index.ts';
import type { GuardCall, GuardedResult, GuardStore } from './port.ts';

export type Told = 'committed' | 'rolled-back' | 'nothing';

/** One key of a guard. */
export interface GuardKey {
  key: Key;
  fence: number;
}

/** The same, with what this process has placed for it. */
export interface HeldGuardKey extends GuardKey {
  intents: RowIntents;
}

export interface ConcludeOptions extends Pick<
  WriteServiceOptions,
  'cache' | 'recovery' | 'runtime'
> {
  rows: Pick<RowStore, 'read' | 'raiseFence'>;
  store: Pick<GuardStore, 'calls'>;
}

/** What became of a guard's key in the database. `calledVersion`: null if no transaction of the guard has committed. */
export interface Decided<K extends GuardKey> {
  guarded: K;
  calledVersion: number | null;
  row: VersionedRow;
}

/**
 * Finds out what became of the caller's transaction. Unless the caller says that it has committed, none can commit any
 * more from then on.
 * @throws LockstepError if the database does not answer; the intents stay then
 */
export async function decide<K extends GuardKey>(
  { rows, store }: Pick<ConcludeOptions, 'rows' | 'store'>,
  guard: string,
  keys: readonly K[],
  told: Told,
): Promise<Decided<K>[]> {
  const committed = told === 'committed' ? await store.calls(guard) : [];
  const open = keys.filter((each) => versionIn(committed, each) === null);
  const raised = new Map<K, VersionedRow>();
  await Promise.all(
    open.map(async (each) => {
      const result = await rows.raiseFence(each.key, each.fence);
      // A key that was refused because another holder has stored a fence is decided as well.
      if (result.status === 'raised') raised.set(each, result.row);
    }),
  );
  const calls = open.length === 0 ? committed : await store.calls(guard);
  return Promise.all(
    keys.map(async (guarded) => ({
      guarded,
      calledVersion: versionIn(calls, guarded),
      row: raised.get(guarded) ?? (await rows.read(guarded.key)),
    })),
  );
}

/** Ends the intents of a guard's keys as `decide` found. If the cache fails now, a recovery ends them. */
export function endIntents(
  options: ConcludeOptions,
  decided: readonly Decided<HeldGuardKey>[],
): Promise<GuardedResult[]> {
  return Promise.all(
    decided.map(async ({ guarded, calledVersion, row }) => {
      const { key, intents } = guarded;
      const isApplied = calledVersion !== null;
      const cache = isApplied
        ? await publishRow(options, key, intents, row)
        : await withdrawRow(options, key, intents, row.version);
      return { key, version: calledVersion ?? row.version, isApplied, cache };
    }),
  );
}

/** A row with a tag (`VersionedRow`) is not published: readers must learn the tag from the database. */
async function publishRow(
  options: ConcludeOptions,
  key: Key,
  intents: RowIntents,
  row: VersionedRow,
): Promise<CacheOutcome> {
  const leave = row.tag === undefined ? 'value' : 'tombstone';
  return (await publishIntents(options, key, intents, row, leave)) ?? 'invalidated';
}

async function withdrawRow(
  options: ConcludeOptions,
  key: Key,
  intents: RowIntents,
  version: number,
): Promise<CacheOutcome> {
  try {
    await withdrawIntents(options, intents, version);
    return 'invalidated';
  } catch (error) {
    const { name: resource } = key.resource;
    options.runtime.log.debug({ err: error, resource }, 'the intent of a guard stays for recovery');
    options.recovery.recoverSoon(key);
    return 'pending';
  }
}

const versionIn = (calls: readonly GuardCall[], { key, fence }: GuardKey): number | null =>
  calls.find(
    (call) =>
      call.fence === fence && call.resource === key.resource.name && call.keyText === key.text,
  )?.version ?? null;
