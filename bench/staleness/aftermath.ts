/** What a load has left behind, once all faults are over and all background work has had time to finish. */
import { Redis } from 'ioredis';
import { decodeEntry } from '../../shared/src/entry.ts';
import { isByHand } from './by-hand/protocol.ts';
import type { ContenderName } from './contender.ts';
import type { Servers } from './servers.ts';
import type { LoadResult } from './load.ts';
import { readTable, type StoredRow } from './tables.ts';

export interface Aftermath {
  /** Cached values that differ from their row. */
  staleForGood: number;
  /** Writes that were acknowledged and are not in the database. */
  lostUpdates: number;
}

export async function lookAtAftermath(
  servers: Servers,
  name: ContenderName,
  table: string,
  acknowledged: LoadResult['acknowledged'],
): Promise<Aftermath> {
  const rows = await readTable(servers.databaseUrl, table);
  const cached = await readCache(servers.cacheUrl, table, rows);
  const count = isByHand(name) ? plainCount : entryCount;
  return {
    staleForGood: rows.filter((row, index) => {
      const n = count(cached[index] ?? null);
      return n !== null && n !== row.n;
    }).length,
    lostUpdates: countLost(rows, acknowledged),
  };
}

/** Counts lost writes. A write with an unknown outcome can make a row's counts higher, but not lower. */
export function countLost(
  rows: readonly StoredRow[],
  { writes, additions }: LoadResult['acknowledged'],
): number {
  const missing = (acknowledged: number | undefined, stored: number): number =>
    Math.max(0, (acknowledged ?? 0) - stored);
  return rows.reduce(
    (sum, { id, n, counter }) => sum + missing(writes[id], n) + missing(additions[id], counter),
    0,
  );
}

async function readCache(
  cacheUrl: string,
  table: string,
  rows: readonly StoredRow[],
): Promise<(string | null)[]> {
  const cache = new Redis(cacheUrl);
  try {
    return await cache.mget(rows.map(({ id }) => `${table}:${id}`));
  } finally {
    cache.disconnect();
  }
}

const plainCount = (text: string | null): number | null =>
  text === null ? null : (JSON.parse(text) as StoredRow).n;

/** Null if the entry does not answer reads. */
function entryCount(text: string | null): number | null {
  if (text === null) return null;
  const entry = decodeEntry(text);
  return entry.state === 'value' ? Number(entry.row?.n) : null;
}
