import type { SweepReport } from '@lockstep/shared';
import { sweepEntries, type SweepTarget } from '../cache/index.ts';
import type { Resource } from '../domain/index.ts';
import type { Runtime } from '../runtime/index.ts';
import type { Engine } from './engine.ts';

/** Removes every entry of the resources; refreshed tables are then filled again by themselves. */
export async function sweepResources(
  { cache, generations }: Pick<Engine, 'cache' | 'generations'>,
  resources: readonly Resource[],
  { timers, log }: Pick<Runtime, 'timers' | 'log'>,
): Promise<SweepReport> {
  const report = await sweepEntries(cache, resources.map(targetOf), timers);
  for (const { name, policy } of resources)
    if (policy === 'refresh') await generations.forget(name);
  log.info({ ...report }, 'swept the entries of resources, as was asked');
  return report;
}

function targetOf({ name, policy, format, cacheKey, invalidates }: Resource): SweepTarget {
  const isCached = policy !== 'none';
  const isRaw = format === 'raw';
  return {
    resource: name,
    entries: isCached && !isRaw ? cacheKey : null,
    plain: [...(isCached && isRaw ? [cacheKey] : []), ...invalidates],
  };
}
