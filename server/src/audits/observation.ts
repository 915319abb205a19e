import { createHash } from 'node:crypto';
import type { StoredEntry } from '../cache/port.ts';
import type { VersionedRow } from '../database/port.ts';
import type { Resource } from '../domain/index.ts';
import { compare, type Comparison } from './compare.ts';
import type { ComparedStores } from './port.ts';
import type { Candidate } from './sampling.ts';

/** Both sides of one key as they were read, the cache first. */
export interface Observation {
  candidate: Candidate;
  comparison: Comparison;
  stored: StoredEntry | null;
  /** Remaining life; null: no expiry; undefined: it was not asked for. */
  ttlMs: number | null | undefined;
  /** Null if the entry is not one that the database could disagree with. */
  database: VersionedRow | null;
}

/**
 * Reads both sides of some keys of one resource and compares them.
 *
 * The cache is read first. A value in it was committed before, so the row that is read after it is never older because
 * of a write in flight. A value that is unchanged on a second look has disagreed with the first look's row all the time
 * between. If the database were read first, a write that commits and publishes between the two reads would look like
 * drift, again and again for a key that is written often.
 */
export async function observe(
  ports: ComparedStores,
  resource: Resource,
  candidates: readonly Candidate[],
): Promise<Observation[]> {
  const stored = await ports.entries.readMany(candidates.map(({ key }) => key.cacheKey));
  const comparable = candidates.filter((_, index) => isComparable(stored[index]));
  const keys = comparable.map(({ key }) => key);
  const ttls = await Promise.all(keys.map((key) => ports.entries.ttlMs(key.cacheKey)));
  const rows = keys.length === 0 ? [] : await ports.rows.readMany(resource, keys);
  const position = new Map(comparable.map((candidate, index) => [candidate, index]));
  return candidates.map((candidate, index) => {
    const at = position.get(candidate) ?? -1;
    const entry = stored[index] ?? null;
    const ttlMs = ttls[at];
    const database = rows[at] ?? null;
    const comparison = compare(resource, entry, ttlMs, database);
    return { candidate, comparison, stored: entry, ttlMs, database };
  });
}

/** A short stand-in for an entry's text, so that a suspect does not keep a large one over the grace period. */
export const digestOf = (text: string): string =>
  createHash('sha256').update(text).digest('base64');

function isComparable(stored: StoredEntry | null | undefined): boolean {
  return stored?.entry.state === 'value' || stored?.entry.state === 'corrupt';
}
