import type { Finding } from '@lockstep/shared';
import { keyFromCacheKey, type Key, type Resource } from '../domain/index.ts';
import type { ScanPorts } from './port.ts';

type SampledFrom = Finding['sampledFrom'];

export interface Candidate {
  key: Key;
  from: SampledFrom;
}

/**
 * Shares of a sample. Entries weigh most, because only what is cached can have drifted; recent writes and hot keys
 * are where races happen; rows find entries that the cache's own sampling cannot (absent though they should be known).
 */
const SHARES = { hot: 0.1, recent: 0.2, table: 0.3 } as const;

/**
 * Draws up to `size` distinct keys four ways: hot keys, recent writes, random rows, random entries. What one way cannot
 * give, the cache and then the table make up. A key drawn twice counts for the first of these ways.
 */
export async function drawSample(
  ports: Pick<ScanPorts, 'rows' | 'scanner' | 'hotKeys'>,
  resource: Resource,
  size: number,
): Promise<Candidate[]> {
  const sample = new Map<string, Candidate>();
  const take = (keys: readonly Key[], from: SampledFrom, count: number): void => {
    let left = Math.min(count, size - sample.size);
    for (const key of keys) {
      if (left <= 0) return;
      if (sample.has(key.text)) continue;
      sample.set(key.text, { key, from });
      left -= 1;
    }
  };
  const share = (part: number): number => Math.ceil(size * part);
  take(ports.hotKeys(resource, share(SHARES.hot)), 'hot', share(SHARES.hot));
  const recent = await ports.rows.recentKeys(resource, share(SHARES.recent));
  take(recent, 'recent', share(SHARES.recent));
  // Each is asked for the whole size, to replace keys that overlap or are missing elsewhere.
  const table = await ports.rows.sampleKeys(resource, size);
  take(table, 'table', share(SHARES.table));
  const cached = await ports.scanner.sample(resource.cacheKey.prefix, size);
  take(keysOf(resource, cached), 'cache', size);
  take(table, 'table', size);
  return [...sample.values()];
}

function keysOf(resource: Resource, cacheKeys: readonly string[]): Key[] {
  const keys: Key[] = [];
  for (const cacheKey of cacheKeys) {
    const key = keyFromCacheKey(resource, cacheKey);
    if (key !== null) keys.push(key);
  }
  return keys;
}
