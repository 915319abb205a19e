/**
 * What the processes of a strategy share: one key, as each server holds it.
 *
 * A write and its value are named by the writer's letter: `A` is what Writer A wrote, `old` the value before all
 * writes. The database numbers its commits: the version of `old` is 0, that of the first commit 1.
 *
 * Parts are replaced and never changed, so that worlds can share equal parts, and the explorer compares part by part.
 */

/** `old`, or the letter of the write that made it. */
export type Value = string;

/** The value before every write. */
export const OLD: Value = 'old';

export interface Database {
  /** Letters of the committed writes, in order. */
  readonly commits: string;
  /** Letters of committed writes that a later commit overwrote without having seen them. */
  readonly overwritten: string;
  /** The highest fence that it has seen. */
  readonly fence: number;
  /** The writer whose transaction holds the row, or `''`. Most strategies commit in one step and need none. */
  readonly lockedBy: string;
}

/** What the cache holds for the key. Strategies without versions use only `state` and `value`. */
export interface Entry {
  readonly state: 'nothing' | 'value' | 'lease' | 'tombstone' | 'intent';
  readonly value: Value;
  readonly version: number;
  readonly fence: number;
}

/** Two homes of the key, for routing by key: who works at each (`''`: nobody), and to which one requests are sent. */
export interface Homes {
  readonly named: 1 | 2;
  readonly first: string;
  readonly second: string;
}

/** The answers given to callers so far. Strategies must not use them. */
export interface Seen {
  /** The highest version that was acknowledged to a writer or answered to a reader. */
  readonly version: number;
  /** Letters of the acknowledged writes. */
  readonly acknowledged: string;
  /** Letters that a reader was shown before they were committed. */
  readonly uncommitted: string;
}

export interface World {
  database: Database;
  cache: Entry;
  /** How many commits the replica has applied. */
  replica: number;
  /** How many commits the change log's subscriber has handled. */
  logPosition: number;
  /** Letters of the writes with a waiting message. */
  queue: string;
  /** Letters of the writes with an outbox row. */
  outbox: string;
  /** Who holds the key's lock, or `''`. */
  lock: string;
  homes: Homes;
  /** How many lock tokens were given out, so that each one is different. */
  tokens: number;
  /** The highest fence that was minted, in place of the cache server's clock. */
  clock: number;
  seen: Seen;
  /** How often each of the strategy's faults has happened, in the order of `Strategy.faults`. */
  faults: readonly number[];
}

const NOTHING: Entry = { state: 'nothing', value: '', version: 0, fence: 0 };

/** An entry; parts that are not given are empty. */
export const entry = (state: Entry['state'], parts: Partial<Omit<Entry, 'state'>> = {}): Entry => ({
  state,
  value: parts.value ?? '',
  version: parts.version ?? 0,
  fence: parts.fence ?? 0,
});

/** An empty cache. */
export const nothing = (): Entry => NOTHING;
/** A value as a plain `SET` leaves it. */
export const plainValue = (value: Value): Entry => entry('value', { value });

/** The world before anything has happened. `cached`: the cache holds the old value, else nothing. */
export function firstWorld({ cached }: { cached: boolean }): World {
  return {
    database: { commits: '', overwritten: '', fence: 0, lockedBy: '' },
    cache: cached ? plainValue(OLD) : NOTHING,
    replica: 0,
    logPosition: 0,
    queue: '',
    outbox: '',
    lock: '',
    homes: { named: 1, first: '', second: '' },
    tokens: 0,
    clock: 0,
    seen: { version: 0, acknowledged: '', uncommitted: '' },
    faults: [],
  };
}

/** The value after the first `version` commits. Default: the database's present value. */
export function storedValue({ commits }: Database, version = commits.length): Value {
  return commits[version - 1] ?? OLD;
}

/** The version of a value; null if no commit has written it. */
export function versionOf({ commits }: Database, value: Value): number | null {
  if (value === OLD) return 0;
  const index = commits.indexOf(value);
  return index === -1 ? null : index + 1;
}

/** An `UPDATE`, which works on the present row and so has seen every earlier commit. */
export function commit(world: World, writer: Value): void {
  world.database = { ...world.database, commits: world.database.commits + writer };
}

/** Writes a value that was computed from an earlier read, and so overwrites later commits without having seen them. */
export function writeBack(world: World, writer: Value, read: Value): void {
  const { database } = world;
  const unseen = database.commits.slice(versionOf(database, read) ?? 0);
  const overwritten = [...new Set(database.overwritten + unseen)].sort().join('');
  world.database = { ...database, commits: database.commits + writer, overwritten };
}
