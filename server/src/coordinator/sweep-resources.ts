import type { SweepReport } from '@lockstep/shared';
import { type CacheConnection, sweepEntries, type SweepTarget } from '../cache/index.ts';
import { hasHeader, isCached, isInShadow, isRefreshed, type Resource } from '../domain/index.ts';
import type { RedisGenerations } from '../refreshes/index.ts';
import type { Runtime } from '../runtime/index.ts';

/** Removes every entry of the resources. Refreshed tables are filled again automatically. */
export async function sweepResources(
  { cache, generations }: { cache: CacheConnection; generations: RedisGenerations },
  resources: readonly Resource[],
  { timers, log }: Pick<Runtime, 'timers' | 'log'>,
): Promise<SweepReport> {
  const swept = resources.filter((each) => !isInShadow(each));
  const report = await sweepEntries(cache, swept.map(targetOf), timers);
  for (const resource of resources)
    if (isRefreshed(resource)) await generations.forget(resource.name);
  log.info({ ...report }, 'swept the entries of resources');
  return report;
}

function targetOf(resource: Resource): SweepTarget {
  const { name, cacheKey, invalidates } = resource;
  const hasEntries = isCached(resource);
  const isHeaded = hasHeader(resource);
  return {
    resource: name,
    entries: hasEntries && isHeaded ? cacheKey : null,
    plain: [...(hasEntries && !isHeaded ? [cacheKey] : []), ...invalidates],
  };
}
