/**
 * Removes every entry of some resources, in one pass over the cache's keys by bounded `SCAN` steps.
 *
 * Needed if the cache is ahead of the database: the database was restored from a backup, or the cache came back with
 * old data. An invalidation would not do: its tombstone keeps a least version that the database may no longer reach.
 * Write intents stay, and are recovered as always. Entries that are filled while the pass runs come from the present
 * database, so it does not matter whether they stay.
 */
import type { SweepReport } from '@lockstep/shared';
import type { CacheKeyTemplate } from '../domain/index.ts';
import type { Timers } from '../runtime/index.ts';
import { forgetLocal } from './invalidation-streams.ts';
import type { CacheConnection } from './redis-connection.ts';
import { RedisEntryScanner } from './redis-entry-scanner.ts';
import { RedisEntrySteps } from './redis-entry-steps.ts';

const PAGE_KEYS = 500;
/** How long an invalidation must leave a trace (SPEC A7), with some reserve. */
const MARK_LASTS_MS = 2_000;
const TOMBSTONE_TTL_MS = 60_000;

/** The cache keys of one resource. */
export interface SweepTarget {
  resource: string;
  /** The template of its entries; null if it has none. */
  entries: CacheKeyTemplate | null;
  /** Templates of keys without a header: raw entries, and those of `invalidates`. */
  plain: readonly CacheKeyTemplate[];
}

/** @throws LockstepError `CACHE_UNAVAILABLE`; some entries may have been removed by then */
export async function sweepEntries(
  connection: CacheConnection,
  targets: readonly SweepTarget[],
  timers: Pick<Timers, 'soon'>,
): Promise<SweepReport> {
  const scanner = new RedisEntryScanner(connection);
  const steps = new RedisEntrySteps({ connection, timers });
  const report: SweepReport = {
    resources: targets.map(({ resource }) => resource),
    removed: 0,
    intents: 0,
  };
  let cursor: string | null = null;
  do {
    const page = await scanner.scan(cursor, PAGE_KEYS);
    await Promise.all(
      page.keys.map(async ({ cacheKey }) => {
        const kind = kindOf(targets, cacheKey);
        if (kind === null) return;
        const answer =
          kind === 'entry'
            ? await steps.run(connection.steps.sweepEntry, cacheKey, [
                MARK_LASTS_MS,
                TOMBSTONE_TTL_MS,
              ])
            : await connection.run((client) => client.unlink(cacheKey));
        if (answer === 'intent') report.intents += 1;
        if (answer === 'removed' || answer === 1) report.removed += 1;
      }),
    );
    cursor = page.next;
  } while (cursor !== null);
  await forgetLocal(connection, report.resources);
  return report;
}

function kindOf(targets: readonly SweepTarget[], cacheKey: string): 'entry' | 'plain' | null {
  const isOf = (template: CacheKeyTemplate): boolean => template.match(cacheKey) !== null;
  if (targets.some(({ entries }) => entries !== null && isOf(entries))) return 'entry';
  return targets.some(({ plain }) => plain.some(isOf)) ? 'plain' : null;
}
