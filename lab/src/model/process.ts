/**
 * The language in which strategies are written: processes of named steps.
 *
 * A step is one atomic round trip: it looks at the world, changes it, and says which step comes next. Between two steps
 * of one process any other process may take any number of its own.
 */
import { storedValue, versionOf, type Value, type World } from './world.ts';

/**
 * What a process remembers between its steps. All have the same shape; fields that a process does not use stay empty.
 */
export interface Memory {
  /** The next step, or how it ended: `done`, `crashed`. */
  at: string;
  value: Value;
  version: number;
  fence: number;
  /** Whether the lease in the cache is this reader's. */
  hasLease: boolean;
  /** The token of its lock; `''` if it has none. */
  token: string;
  /** The home that works on this request; 0 for none. */
  home: 0 | 1 | 2;
  /** How many fences this holder has minted. */
  mints: number;
  /** The highest version that had been acknowledged or answered when this process was called. */
  calledAt: number;
}

const FRESH: Memory = {
  at: 'done',
  value: '',
  version: 0,
  fence: 0,
  hasLease: false,
  token: '',
  home: 0,
  mints: 0,
  calledAt: 0,
};
/** A process at this step that remembers nothing. */
export const freshMemory = (at: string): Memory => ({ ...FRESH, at });
export const DONE: Memory = Object.freeze(freshMemory('done'));
export const CRASHED: Memory = Object.freeze(freshMemory('crashed'));

/** What the explorer looks for. */
export const PROPERTIES = ['staleForGood', 'staleForAWhile', 'lostWrite', 'neverWas'] as const;
export type Property = (typeof PROPERTIES)[number];

/** A broken property, with an explanation in a sentence. */
export interface Finding {
  readonly property: Property;
  readonly words: string;
}

/** A world that a step may change, and what the step finds broken. */
export interface Draft extends World {
  findings: readonly Finding[];
}

/** Where a process goes after a step. `note` is the answer. */
export interface Next {
  readonly at: string;
  readonly note: string;
}

export type Run = (world: Draft, me: Memory) => Next;

export interface Step {
  /** The other end of the round trip. */
  to: string;
  /** The request. */
  does: string;
  /** The step waits until this holds. */
  when?: (world: World, me: Memory) => boolean;
  run: Run;
  /** The name of the fault, if this step is one. */
  fault?: string;
  /** How the step can go otherwise, by a fault. */
  or?: { fault: string; to?: string; does?: string; run: Run };
  /** Who takes the step in diagrams, if not the process itself. */
  by?: (me: Memory) => string;
}

export interface Process {
  readonly name: string;
  /**
   * `once`: it is called once and ends. `always`: it works whenever it can. `maybe`: it may work when it can; the
   * system counts as at rest even if it could.
   */
  readonly runs: 'once' | 'always' | 'maybe';
  readonly steps: Readonly<Record<string, Step>>;
  /** The name of the first step. */
  readonly start: string;
  /** Processes of a group differ only in their name, which the world does not contain. */
  readonly group: string;
  /**
   * Whether it may crash between any two of its steps. To others a crashed process looks like a paused one, so a crash
   * is not a step: if everything else has ended, a process between two of its steps may have crashed.
   */
  readonly mayCrash: boolean;
}

/** The fault of every process that may crash. */
export const CRASH = 'a process crashes';

export const go = (at: string, note = ''): Next => ({ at, note });
export const done = (note = ''): Next => ({ at: 'done', note });

type Steps = Readonly<Record<string, Step>>;

function process(name: string, runs: Process['runs'], steps: Steps, group = ''): Process {
  const start = Object.keys(steps)[0];
  if (start === undefined) throw new Error(`${name} has no steps`);
  return { name, runs, steps, start, group, mayCrash: false };
}

/** A write, or another call that runs once. It begins with the first of `steps`. */
export const caller = (name: string, steps: Steps): Process => process(name, 'once', steps);
/** Equal readers, each called once. */
export const readers = (count: number, steps: Steps): Process[] =>
  Array.from({ length: count }, (_, index) =>
    process(`Reader ${index + 1}`, 'once', steps, 'readers'),
  );
/** A process that works in the background until nothing is left to do: a relay, a subscriber, a replica. */
export const background = (name: string, steps: Steps): Process => process(name, 'always', steps);
/** A process that may run or not: a fault of a server, a recovery. */
export const chance = (name: string, steps: Steps): Process => process(name, 'maybe', steps);
/** The same process, but it may crash between any two of its steps. */
export const mayCrash = (it: Process): Process => ({ ...it, mayCrash: true });

/** Names of writers, which are also the values that they write. */
export const writerNames = (count: number): Value[] => [...'ABCD'].slice(0, count);

/** Remembers the version that a read must reach. Must be called at the beginning of its first step. */
export function called(world: World, me: Memory): void {
  me.calledAt = world.seen.version;
}

/** Ends a write with its acknowledgement. */
export function acknowledged(world: Draft, writer: Value, note = 'acknowledged'): Next {
  acknowledge(world, writer);
  return done(note);
}

/** Acknowledges a write that goes on afterwards. */
export function acknowledge(world: Draft, writer: Value): void {
  const { seen, database } = world;
  const version = versionOf(database, writer);
  if (version === null) throw new Error(`${writer} is acknowledged but not committed`);
  world.seen = {
    ...seen,
    version: Math.max(seen.version, version),
    acknowledged: [...seen.acknowledged, writer].sort().join(''),
  };
}

/**
 * Ends a read with its answer, which must not be older than what was acknowledged or answered before its call. An
 * uncommitted value counts as newer than all committed ones.
 */
export function answered(world: Draft, me: Memory, value: Value): Next {
  const { seen, database } = world;
  const version = versionOf(database, value);
  const shown = version ?? database.commits.length + 1;
  if (shown < me.calledAt) {
    world.findings = [{ property: 'staleForAWhile', words: staleWords(world, me, value) }];
  }
  const isNewlyShown = version === null && !seen.uncommitted.includes(value);
  const uncommitted = isNewlyShown ? seen.uncommitted + value : seen.uncommitted;
  world.seen = { ...seen, version: Math.max(seen.version, shown), uncommitted };
  return done(`answers ${value}`);
}

function staleWords({ database }: World, { calledAt }: Memory, value: Value): string {
  const newer =
    calledAt > database.commits.length ? 'a newer value' : storedValue(database, calledAt);
  return `The read answers ${value}, but ${newer} had been acknowledged or read before its call.`;
}
