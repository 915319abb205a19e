/** Scans one resource of a cache and a database on which Lockstep need not be set up. */
import { scanResource, type ScanReport } from '../audits/index.ts';
import type { StoredEntry } from '../cache/index.ts';
import { migrationState } from '../checks/index.ts';
import { type Database, presentClusterName, type VersionedRow } from '../database/index.ts';
import { isDerived, type Key, type Resource } from '../domain/index.ts';
import type { Runtime } from '../runtime/index.ts';
import { withRedisEntries } from './redis-entries.ts';
import { inOneForm } from './same-values.ts';

const DEFAULT_GRACE_MS = 2_000;

export interface ScannedStores {
  database: Database;
  cacheUrl: string;
  runtime: Pick<Runtime, 'timers'>;
  signal: AbortSignal;
}

/** What the database knows beside its rows. */
interface Setting {
  /** The name of the database's Lockstep; null: it has none. */
  cluster: string | null;
  hasVersions: boolean;
}

/** Whether the tables of Lockstep's own are there, in the form that this version has. */
export async function settingOf({ sql }: Database): Promise<Setting> {
  const { pending, unknown } = await migrationState(sql);
  const hasVersions = pending.length === 0 && unknown.length === 0;
  return { cluster: hasVersions ? await presentClusterName(sql) : null, hasVersions };
}

/** @throws LockstepError `DATABASE_UNAVAILABLE`, and the driver's error of the cache */
export function scan(
  resource: Resource,
  sample: number,
  { database, cacheUrl, runtime, signal }: ScannedStores,
  { cluster, hasVersions }: Setting,
): Promise<ScanReport> {
  const isRaw = resource.format === 'raw';
  return withRedisEntries(cacheUrl, { resource, cluster }, ({ entries, scanner }) => {
    const ports = {
      entries: {
        ...entries,
        readMany: async (cacheKeys: readonly string[]) =>
          (await entries.readMany(cacheKeys)).map((each) =>
            isRaw ? storedInOneForm(resource, each) : each,
          ),
      },
      rows: {
        sampleKeys: (of: Resource, count: number) =>
          isDerived(of) ? Promise.resolve([]) : database.rows.sampleKeys(of, count),
        recentKeys: () => Promise.resolve([]),
        readMany: async (of: Resource, keys: readonly Key[]) => {
          const rows = await readRows(database, of, keys, hasVersions);
          return isRaw ? rows.map((each) => ({ ...each, row: inOneForm(of, each.row) })) : rows;
        },
      },
      hotKeys: () => [],
      ...{ scanner, runtime },
    };
    const graceMs = resource.audit?.graceMs ?? DEFAULT_GRACE_MS;
    return scanResource(ports, { resource, sample, graceMs, signal });
  });
}

function storedInOneForm(resource: Resource, stored: StoredEntry | null): StoredEntry | null {
  if (stored?.entry.state !== 'value') return stored;
  return { ...stored, entry: { ...stored.entry, row: inOneForm(resource, stored.entry.row) } };
}

/** Without Lockstep's versions, no entry is newer than its row. */
async function readRows(
  { rows, tables }: Database,
  resource: Resource,
  keys: readonly Key[],
  hasVersions: boolean,
): Promise<VersionedRow[]> {
  if (hasVersions || isDerived(resource)) return rows.readMany(resource, keys);
  const plain = await tables.readPlain(resource, keys);
  return plain.map((row) => ({ version: Infinity, fence: 0, row }));
}
