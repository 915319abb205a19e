import type { FieldFault } from '@lockstep/shared';
import type { Config } from './config.ts';

/** What a configuration may say already and this version does not do yet. */
export function unsupportedFaults(config: Config): FieldFault[] {
  const faults: FieldFault[] = [];
  const refuse = (path: string, what: string, allowed: string): void => {
    faults.push({ path, message: `${what} is not in this version; allowed: ${allowed}` });
  };
  for (const { name, policy, level, format } of config.resources) {
    const path = `resources.${name}`;
    if (policy === 'delayed-double-delete' || policy === 'refresh') {
      refuse(`${path}.policy`, `policy ${policy}`, 'strict, delete-after-write, change-log, none');
    }
    if (level === 'local') refuse(`${path}.level`, 'level local', 'redis');
    if (format === 'raw') refuse(`${path}.format`, 'format raw', 'entry');
  }
  const { database, cache } = config;
  if (database.mode === 'external' && database.replicas.length > 0) {
    refuse('database.replicas', 'reading from replicas', 'no replicas');
  }
  if (cache.mode === 'cluster') refuse('cache.cluster', 'a Redis Cluster', 'cache.url');
  if (cache.mode === 'sentinel') refuse('cache.sentinels', 'Redis Sentinel', 'cache.url');
  return faults;
}
