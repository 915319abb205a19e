/** Reads the entries of a cache that other programs may fill, and changes nothing there. */
import { decodeEntry, decodeRawEntry, type CorruptEntry, type Entry } from '@lockstep/shared';
import type { Redis } from 'ioredis';
import type { EntryScanner, EntryStore, StoredEntry } from '../cache/index.ts';
import { lookAtRedis, serversOf } from '../checks/index.ts';
import { entryOwner, type Resource } from '../domain/index.ts';

const PAGE_KEYS = 500;
/** How many steps of SCAN look for one resource's keys, and how long. */
const MAX_PAGES = 400;
const MOST_MS = 20_000;

export interface FoundEntries {
  entries: Pick<EntryStore, 'readMany' | 'ttlMs'>;
  scanner: Pick<EntryScanner, 'sample'>;
}

/**
 * Runs `look` with what reads one resource's entries.
 * @param cluster the name of the database's Lockstep; null: it has none
 * @throws the driver's error if the server does not answer or refuses
 */
export function withRedisEntries<T>(
  url: string,
  { resource, cluster }: { resource: Resource; cluster: string | null },
  look: (found: FoundEntries) => Promise<T>,
): Promise<T> {
  const owner = cluster === null ? null : entryOwner(cluster, resource);
  return lookAtRedis(url, (client) =>
    look({
      entries: {
        readMany: (cacheKeys) =>
          Promise.all(cacheKeys.map((cacheKey) => stored(client, cacheKey, resource, owner))),
        ttlMs: async (cacheKey) => {
          const ttlMs = await client.pttl(cacheKey);
          if (ttlMs === -2) return undefined;
          return ttlMs === -1 ? null : ttlMs;
        },
      },
      scanner: { sample: (prefix, count) => sample(serversOf(client), prefix, count) },
    }),
  );
}

async function stored(
  client: Pick<Redis, 'get'>,
  cacheKey: string,
  { format }: Resource,
  owner: string | null,
): Promise<StoredEntry | null> {
  let text: string | null;
  try {
    text = await client.get(cacheKey);
  } catch (error) {
    if (!(error instanceof Error && error.message.startsWith('WRONGTYPE'))) throw error;
    return { entry: { state: 'corrupt', reason: 'it is no string' }, text: '' };
  }
  if (text === null) return null;
  if (format === 'raw') return { entry: rawEntry(text), text, isRaw: true };
  const entry = decodeEntry(text);
  // Readers take an entry of another cluster, or of another definition of the resource, for none.
  const isForeign =
    entry.state !== 'corrupt' &&
    entry.owner !== undefined &&
    owner !== null &&
    entry.owner !== owner;
  return isForeign ? null : { entry, text };
}

function rawEntry(text: string): Entry | CorruptEntry {
  const read = decodeRawEntry(text);
  return read.state === 'corrupt' ? read : { ...read, version: 0, fence: 0, writtenAtMs: 0 };
}

/** SCAN goes through the keys in the order of a hash of them, so a part of them is as good as drawn by lot. */
async function sample(servers: readonly Redis[], prefix: string, count: number): Promise<string[]> {
  const each = Math.ceil(count / Math.max(1, servers.length));
  const found = await Promise.all(servers.map((server) => sampleOf(server, prefix, each)));
  return found.flat().slice(0, count);
}

async function sampleOf(client: Redis, prefix: string, count: number): Promise<string[]> {
  const pattern = `${prefix.replace(/[*?[\]\\^-]/g, '\\$&')}*`;
  const untilMs = performance.now() + MOST_MS;
  const found = new Set<string>();
  let cursor = '0';
  for (let page = 0; page < MAX_PAGES && performance.now() < untilMs; page += 1) {
    const [next, names] = await client.scan(cursor, 'MATCH', pattern, 'COUNT', PAGE_KEYS);
    for (const name of names) if (found.size < count) found.add(name);
    if (next === '0' || found.size >= count) break;
    cursor = next;
  }
  return [...found];
}
