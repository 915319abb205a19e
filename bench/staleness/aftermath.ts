/** What a load has left behind, looked at when everything is well again and has had time to settle. */
import { Redis } from 'ioredis';
import { decodeEntry } from '../../shared/src/entry.ts';
import { isByHand } from './by-hand/protocol.ts';
import type { ContenderName } from './contender.ts';
import type { Servers } from './servers.ts';
import type { LoadResult } from './load.ts';
import { readTable, type StoredRow } from './tables.ts';

export interface Aftermath {
  /** Cached values that are not their row's. */
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

/** A write whose outcome nobody knows may have made a row's counts higher; never lower. */
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

/** Null where the entry answers no read by itself. */
function entryCount(text: string | null): number | null {
  if (text === null) return null;
  const entry = decodeEntry(text);
  return entry.state === 'value' ? Number(entry.row?.n) : null;
}
