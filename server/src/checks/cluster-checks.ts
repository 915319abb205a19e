/** What must not, or should not, be used by two clusters at once: `check`, `start` and a reload compare by these. */
import type { FieldFault } from '@lockstep/shared';
import type { Config } from '../config/index.ts';
import {
  CLUSTER_EXPIRY_MS,
  type Resource,
  sharedCacheFaults,
  sharedLockNames,
  type AnnouncedCluster,
  announcedResource,
  type AnnouncedResource,
} from '../domain/index.ts';
import type { CheckResult } from './check-result.ts';
import type { ListedCoordinators } from './listed-coordinators.ts';
import { isListedInWord, parsedCluster, type Said, saidClusters } from './redis-clusters.ts';

/** What the database says of the cluster. */
export interface FoundCluster {
  /** Null where it has no name yet. */
  name: string | null;
  /** Null where it cannot be told. */
  listed: ListedCoordinators | null;
}

/** What is said on the servers. */
export interface OnServers {
  cache: readonly Said[];
  lockNodes: readonly Said[];
}

const NAMES_SHOWN = 5;
/** Longer than the word of a coordinator that was killed stays on a server, and its row is renewed each second. */
const UNKNOWN_AFTER_MS = 2 * CLUSTER_EXPIRY_MS;

/** Clusters are known only to the servers: one that does not answer hides them, and nothing is refused then. */
export async function checkClusters(
  config: Config,
  found: FoundCluster & { resources: readonly Resource[] },
  { cache, locks }: { cache: string | null; locks: readonly string[] },
): Promise<Partial<CheckResult>> {
  const look = (url: string): Promise<Said[]> => saidClusters(url).catch(() => []);
  const [onCache, ...nodes] = await Promise.all([
    cache === null ? [] : look(cache),
    ...locks.map(look),
  ]);
  const said = { cache: onCache, lockNodes: nodes.flat() };
  const { faults, warnings } = compareClusters(
    found.resources.map(announcedResource),
    said,
    found.name,
    config,
  );
  const strangers = strangersOn(said.cache, found).slice(0, 1);
  return { faults, warnings: [...strangers.map((each) => copyFault(each, config)), ...warnings] };
}

/** With the words of clusters of other names. */
export function compareClusters(
  resources: readonly AnnouncedResource[],
  said: OnServers,
  own: string | null,
  { locks }: Pick<Config, 'locks'>,
): { faults: FieldFault[]; warnings: FieldFault[] } {
  const ofCache = clustersIn(said.cache, own).map((other) => sharedCacheFaults(resources, other));
  const path = locks.mode === 'external' ? 'locks.nodes' : 'locks';
  const ofLocks = clustersIn(said.lockNodes, own).flatMap((other): FieldFault[] => {
    const names = sharedLockNames(resources, other);
    if (names.length === 0) return [];
    const more = names.length > NAMES_SHOWN ? `, and ${names.length - NAMES_SHOWN} more` : '';
    const shown = names.slice(0, NAMES_SHOWN).join(', ') + more;
    const message = `are those of the cluster ${other.name} too, and both lock rows of ${shown}: each waits for the other's locks; advised: lock nodes of its own, another Redis database on them, or other names of the resources`;
    return [{ path, message }];
  });
  return { faults: toldOnce(ofCache.flat()), warnings: toldOnce(ofLocks) };
}

/**
 * Coordinators that say the own cluster's name on the cache and use another database: one that was copied has the name
 * too. They stood in the list of their own database, and this one has not heard of them. A coordinator that was killed
 * while the database was being restored looks the same until its word expires, so that this alone refuses nothing.
 */
export function strangersOn(onCache: readonly Said[], { name, listed }: FoundCluster): string[] {
  if (listed === null) return [];
  return onCache.flatMap(({ cluster, instance, word }) => {
    if (cluster !== name || (listed.get(instance) ?? Infinity) <= UNKNOWN_AFTER_MS) return [];
    return isListedInWord(word) ? [instance] : [];
  });
}

export function copyFault(stranger: string, { cache }: Pick<Config, 'cache'>): FieldFault {
  const path = cache.mode === 'single' ? 'cache.url' : 'cache';
  const message = `is that of the coordinator ${stranger} too, which this database has not heard of though its cluster has the same name: if one database is a copy of the other, each is answered rows of the other; allowed: another Redis database or server for the copy`;
  return { path, message };
}

function clustersIn(said: readonly Said[], own: string | null): AnnouncedCluster[] {
  const words = said.flatMap(({ cluster, word }) => (cluster === own ? [] : [word]));
  return [...new Set(words)].flatMap((word) => parsedCluster(word) ?? []);
}

/** Coordinators of one cluster say the same. */
function toldOnce(faults: readonly FieldFault[]): FieldFault[] {
  const lines = new Map(faults.map((fault) => [`${fault.path}: ${fault.message}`, fault]));
  return [...lines.values()];
}
