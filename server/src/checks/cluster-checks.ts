/** What must not, or should not, be used by two clusters at once: `check`, `start` and a reload compare by these. */
import type { FieldFault } from '@lockstep/shared';
import type { Config } from '../config/index.ts';
import {
  type Resource,
  sharedCacheFaults,
  sharedLockNames,
  type ToldCluster,
  toldResource,
  type ToldResource,
} from '../domain/index.ts';
import type { CheckResult } from './check-result.ts';
import { otherClusters, parsedCluster } from './redis-clusters.ts';

/** What the database says of the cluster. */
export interface FoundCluster {
  /** Null where it has no name yet. */
  name: string | null;
  resources: readonly Resource[];
}

/** What the other clusters say, as it stands on the servers. */
export interface OtherClusters {
  onCache: readonly string[];
  onLockNodes: readonly string[];
}

const NAMES_SHOWN = 5;

/** Where other clusters are known only to the servers, a server that does not answer hides them: nothing is refused then. */
export async function checkClusters(
  config: Config,
  { name, resources }: FoundCluster,
  { cache, locks }: { cache: string | null; locks: readonly string[] },
): Promise<Partial<CheckResult>> {
  const look = (url: string): Promise<string[]> => otherClusters(url, name).catch(() => []);
  const [onCache, ...nodes] = await Promise.all([
    cache === null ? [] : look(cache),
    ...locks.map(look),
  ]);
  return compareClusters(
    resources.map(toldResource),
    { onCache, onLockNodes: nodes.flat() },
    config,
  );
}

export function compareClusters(
  resources: readonly ToldResource[],
  { onCache, onLockNodes }: OtherClusters,
  { locks }: Pick<Config, 'locks'>,
): { faults: FieldFault[]; warnings: FieldFault[] } {
  const ofCache = clustersIn(onCache).map((other) => sharedCacheFaults(resources, other));
  const path = locks.mode === 'external' ? 'locks.nodes' : 'locks';
  const ofLocks = clustersIn(onLockNodes).flatMap((other): FieldFault[] => {
    const names = sharedLockNames(resources, other);
    if (names.length === 0) return [];
    const more = names.length > NAMES_SHOWN ? `, and ${names.length - NAMES_SHOWN} more` : '';
    const shown = names.slice(0, NAMES_SHOWN).join(', ') + more;
    const message = `are those of the cluster ${other.name} too, and both lock rows of ${shown}: each waits for the other's locks; advised: lock nodes of its own, another Redis database on them, or other names of the resources`;
    return [{ path, message }];
  });
  return { faults: toldOnce(ofCache.flat()), warnings: toldOnce(ofLocks) };
}

const clustersIn = (words: readonly string[]): ToldCluster[] =>
  [...new Set(words)].flatMap((word) => parsedCluster(word) ?? []);

/** Coordinators of one cluster say the same. */
function toldOnce(faults: readonly FieldFault[]): FieldFault[] {
  const lines = new Map(faults.map((fault) => [`${fault.path}: ${fault.message}`, fault]));
  return [...lines.values()];
}
