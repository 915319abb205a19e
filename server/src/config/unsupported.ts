import type { FieldFault } from '@lockstep/shared';
import type { Config } from './config.ts';

/** Faults for settings that are valid but not supported by this version yet. */
export function unsupportedFaults(config: Config): FieldFault[] {
  const faults: FieldFault[] = [];
  const refuse = (path: string, what: string, allowed: string): void => {
    faults.push({ path, message: `${what} is not in this version; allowed: ${allowed}` });
  };
  const { cache } = config;
  if (cache.mode === 'cluster')
    refuse('cache.cluster', 'a Redis Cluster', 'cache.url, cache.sentinels');
  return faults;
}
