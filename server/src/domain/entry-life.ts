import type { Row } from '@lockstep/shared';
import type { Resource } from './resource.ts';

/**
 * How long a value may live in the cache, in ms: the resource's TTL spread by its jitter, so that entries written
 * together do not expire together; the negative TTL where there is no row.
 * @param uniform a number in [0, 1)
 */
export function valueTtlMs(resource: Resource, row: Row | null, uniform: number): number {
  const baseMs = row === null ? resource.negativeTtlMs : resource.ttlMs;
  return Math.max(1, Math.round(baseMs * (1 + resource.ttlJitter * (2 * uniform - 1))));
}
