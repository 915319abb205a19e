/** Level `local`: clients keep values of the resource in their memory, and learn by a stream in Redis what is invalidated. */
import type { Resource } from './resource.ts';
import { isServedFromCache } from './entry-format.ts';
import { isStrict } from './policy-rules.ts';

/** The key of the stream in the cache. Its name also stands in `invalidation-messages.lua`. */
export const invalidationStream = (cluster: string, resource: string): string =>
  `lockstep:invalidations:${cluster}/${resource}`;

/** Whether clients may keep values of the resource in memory. */
export const isLocal = (resource: Pick<Resource, 'format' | 'level' | 'policy'>): boolean =>
  resource.level === 'local' && isServedFromCache(resource) && !isStrict(resource);
