/** Finds what two clusters use at the same time and must not, or should not. Used by `check`, `start` and reloads. */
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
import {
  wasListed,
  parsedCluster,
  type Announcement,
  readAnnouncements,
} from './redis-clusters.ts';

/** What the database says about its cluster. */
export interface FoundCluster {
  /** Null if it has no name yet. */
  name: string | null;
  /** Null if the list could not be read. */
  listed: ListedCoordinators | null;
}

/** The announcements on the servers. */
export interface Announcements {
  cache: readonly Announcement[];
  lockNodes: readonly Announcement[];
}

const NAMES_SHOWN = 5;
/** Longer than the announcement of a killed coordinator stays on a server. */
const UNKNOWN_AFTER_MS = 2 * CLUSTER_EXPIRY_MS;

/** Reads the announcements of other clusters and compares them. A server that does not answer is left out. */
export async function checkClusters(
  config: Config,
  found: FoundCluster & { resources: readonly Resource[] },
  { cache, locks }: { cache: string | null; locks: readonly string[] },
): Promise<Partial<CheckResult>> {
  const read = (url: string): Promise<Announcement[]> => readAnnouncements(url).catch(() => []);
  const [onCache, ...nodes] = await Promise.all([
    cache === null ? [] : read(cache),
    ...locks.map(read),
  ]);
  const announced = { cache: onCache, lockNodes: nodes.flat() };
  const { faults, warnings } = compareClusters(
    found.resources.map(announcedResource),
    announced,
    found.name,
    config,
  );
  const strangers = strangersOn(announced.cache, found).slice(0, 1);
  return { faults, warnings: [...strangers.map((each) => copyFault(each, config)), ...warnings] };
}

/** Compares with the announcements of clusters that have other names. */
export function compareClusters(
  resources: readonly AnnouncedResource[],
  announced: Announcements,
  own: string | null,
  { locks }: Pick<Config, 'locks'>,
): { faults: FieldFault[]; warnings: FieldFault[] } {
  const ofCache = clustersIn(announced.cache, own).map((other) =>
    sharedCacheFaults(resources, other),
  );
  const path = locks.mode === 'external' ? 'locks.nodes' : 'locks';
  const ofLocks = clustersIn(announced.lockNodes, own).flatMap((other): FieldFault[] => {
    const names = sharedLockNames(resources, other);
    if (names.length === 0) return [];
    const more = names.length > NAMES_SHOWN ? `, and ${names.length - NAMES_SHOWN} more` : '';
    const shown = names.slice(0, NAMES_SHOWN).join(', ') + more;
    const message = `are used by the cluster ${other.name} too, and both lock rows of ${shown}, so that each waits for the other's locks; advised: separate lock nodes, another Redis database on them, or other names of the resources`;
    return [{ path, message }];
  });
  return { faults: eachOnce(ofCache.flat()), warnings: eachOnce(ofLocks) };
}

/**
 * Coordinators that announce this cluster's name on the cache but use another database, which must be a copy: copying a
 * database copies the cluster's name. They were listed in their own database, and are not listed in this one. A
 * coordinator that was killed while the database was being restored looks the same until its announcement expires, so
 * this alone is no reason to refuse.
 */
export function strangersOn(
  onCache: readonly Announcement[],
  { name, listed }: FoundCluster,
): string[] {
  if (listed === null) return [];
  return onCache.flatMap(({ cluster, instance, content }) => {
    if (cluster !== name || (listed.get(instance) ?? Infinity) <= UNKNOWN_AFTER_MS) return [];
    return wasListed(content) ? [instance] : [];
  });
}

export function copyFault(stranger: string, { cache }: Pick<Config, 'cache'>): FieldFault {
  const path =
    cache.mode === 'single' ? 'cache.url' : cache.mode === 'sentinel' ? 'cache.sentinels' : 'cache';
  const message = `is used by the coordinator ${stranger} too, which this database does not list although its cluster has the same name: if one database is a copy of the other, each gets rows of the other from the cache; allowed: another Redis database or server for the copy`;
  return { path, message };
}

function clustersIn(announced: readonly Announcement[], own: string | null): AnnouncedCluster[] {
  const contents = announced.flatMap(({ cluster, content }) => (cluster === own ? [] : [content]));
  return [...new Set(contents)].flatMap((content) => parsedCluster(content) ?? []);
}

/** Each fault once, because all coordinators of a cluster announce the same. */
function eachOnce(faults: readonly FieldFault[]): FieldFault[] {
  const lines = new Map(faults.map((fault) => [`${fault.path}: ${fault.message}`, fault]));
  return [...lines.values()];
}
