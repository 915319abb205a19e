/** What every server holds at one moment of a trace, for showing that moment. */
import type { Entry, Value, World } from '../model/world.ts';
import { storedValue, versionOf } from '../model/world.ts';
import type { Process } from '../model/process.ts';

/** The server that answers a read. */
export type Source = 'Cache' | 'Database' | 'Replica';

/** What a reader gets who reads at this moment and is not interrupted. */
export interface ReadNow {
  value: Value;
  from: Source;
  /**
   * `current`: what the database holds. `behind`: older, but nothing newer has been acknowledged or read yet. `old`:
   * older than something that was acknowledged or read. `uncommitted`: not in the database, or not yet.
   */
  freshness: 'current' | 'behind' | 'old' | 'uncommitted';
}

/** The state of all servers. Parts that the strategy does not have are null. */
export interface Scene {
  /** The version is the number of commits; the fence the highest that it has seen, 0 for none. */
  database: { value: Value; version: number; fence: number };
  cache: Entry;
  replica: Value | null;
  /** Letters of the writes with a waiting message. */
  queue: string | null;
  /** Letters of the writes with an outbox row. */
  outbox: string | null;
  /** Who holds the key's lock; `''` for nobody. */
  lock: string | null;
  /** The home that requests are sent to. */
  home: 1 | 2 | null;
  /** Letters of the acknowledged writes. */
  acknowledged: string;
  read: ReadNow;
}

/** Which servers a strategy has, and which one a reader asks after a miss. */
export interface Cast {
  servers: ReadonlySet<string>;
  missesGoTo: Exclude<Source, 'Cache'>;
}

/** Everything that the processes talk to, and the background processes by their own names. */
export function castOf(processes: readonly Process[]): Cast {
  const servers = new Set(processes.flatMap((it) => [it.name, ...endsOf(it)]));
  const asked = processes.filter(({ group }) => group === 'readers').flatMap(endsOf);
  const isOnlyReplica = asked.includes('Replica') && !asked.includes('Database');
  return { servers, missesGoTo: isOnlyReplica ? 'Replica' : 'Database' };
}

const endsOf = ({ steps }: Process): string[] =>
  Object.values(steps).flatMap(({ to, or }) => (or?.to === undefined ? [to] : [to, or.to]));

export function sceneOf(world: Readonly<World>, { servers, missesGoTo }: Cast): Scene {
  const { database, cache, replica, queue, outbox, lock, homes, seen } = world;
  const where = <T>(server: string, part: T): T | null => (servers.has(server) ? part : null);
  return {
    database: {
      value: storedValue(database),
      version: database.commits.length,
      fence: database.fence,
    },
    cache,
    replica: where('Replica', storedValue(database, replica)),
    queue: where('Queue', queue),
    outbox: where('Relay', outbox),
    lock: where('Lock', lock),
    home: where('Router', homes.named),
    acknowledged: seen.acknowledged,
    read: readNow(world, missesGoTo),
  };
}

function readNow(world: Readonly<World>, missesGoTo: Cast['missesGoTo']): ReadNow {
  const { database, cache, replica, seen } = world;
  const isHit = cache.state === 'value';
  const missed = storedValue(database, missesGoTo === 'Replica' ? replica : undefined);
  const value = isHit ? cache.value : missed;
  const from = isHit ? 'Cache' : missesGoTo;
  const version = versionOf(database, value);
  if (version === null) return { value, from, freshness: 'uncommitted' };
  if (version < seen.version) return { value, from, freshness: 'old' };
  return { value, from, freshness: version < database.commits.length ? 'behind' : 'current' };
}
