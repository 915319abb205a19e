import { drawTtlMs, type Row } from '@lockstep/shared';
import type { Resource } from './resource.ts';

/**
 * How long a value may live in the cache, in ms: the resource's TTL spread by its jitter, so that entries written
 * together do not expire together; the negative TTL where there is no row.
 * @param uniform a number in [0, 1)
 */
export const valueTtlMs = (resource: Resource, row: Row | null, uniform: number): number =>
  drawTtlMs(resource, row === null, uniform);
