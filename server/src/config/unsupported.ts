import type { FieldFault } from '@lockstep/shared';
import { isRefreshed } from '../domain/index.ts';
import type { Config } from './config.ts';

/** Faults for settings that are valid but not supported by this version yet. */
export function unsupportedFaults(config: Config): FieldFault[] {
  const faults: FieldFault[] = [];
  const refuse = (path: string, what: string, allowed: string): void => {
    faults.push({ path, message: `${what} is not in this version; allowed: ${allowed}` });
  };
  const { cache } = config;
  if (cache.mode !== 'cluster') return faults;
  for (const { name, level, policy, rollout } of config.resources) {
    const path = `resources.${name}`;
    if (level === 'local')
      refuse(`${path}.level`, 'the level local on a Redis Cluster', 'redis, or another cache');
    if (isRefreshed({ policy }))
      refuse(`${path}.policy`, `${policy} on a Redis Cluster`, 'another policy, or another cache');
    if (rollout === 'shadow')
      refuse(`${path}.rollout`, 'shadow on a Redis Cluster', 'invalidate, own, or another cache');
  }
  return faults;
}
