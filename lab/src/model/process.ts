/**
 * The language in which strategies are written: processes of named steps.
 *
 * A step is one atomic round trip: it looks at the world, changes it, and says which step comes next. Between two steps
 * of one process any other process may take any number of its own.
 */
import { storedValue, versionOf, type Value, type World } from './world.ts';

/** What a process remembers between its steps. One shape for all: what a process has no use for stays empty. */
export interface Memory {
  /** The step that comes next, or how it ended: `done`, `crashed`. */
  at: string;
  value: Value;
  version: number;
  fence: number;
  /** The lease that stands in the cache is this reader's. */
  hasLease: boolean;
  /** The token of the lock that it took; `''` if it took none. */
  token: string;
  /** The home that works on this request; 0 for none. */
  home: 0 | 1 | 2;
  /** How many fences this holder has minted. */
  mints: number;
  /** What had been acknowledged or answered when this process was called. */
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

/** That a property is broken, and how, in a sentence. */
export interface Finding {
  readonly property: Property;
  readonly words: string;
}

/** A world while a step changes it, and what the step found broken. */
export interface Draft extends World {
  findings: readonly Finding[];
}

/** Where a process goes after a step; `note` is what came back. */
export interface Next {
  readonly at: string;
  readonly note: string;
}

export type Run = (world: Draft, me: Memory) => Next;

export interface Step {
  /** The other end of the round trip. */
  to: string;
  /** What is asked of it. */
  does: string;
  /** The step waits until this holds. */
  when?: (world: World, me: Memory) => boolean;
  run: Run;
  /** The name of the fault that this step is, where it is one. */
  fault?: string;
  /** Another way for the step to go, by a fault. */
  or?: { fault: string; to?: string; does?: string; run: Run };
  /** Who is seen to take the step, where it is not the process itself. */
  by?: (me: Memory) => string;
}

export interface Process {
  readonly name: string;
  /**
   * `once`: it is called, and ends. `always`: it works whenever it can. `maybe`: it may work when it can, and a system in
   * which it could is at rest all the same.
   */
  readonly runs: 'once' | 'always' | 'maybe';
  readonly steps: Readonly<Record<string, Step>>;
  /** The name of the first step. */
  readonly start: string;
  /** Processes of one group are the same but for their name, and the world does not know them by it. */
  readonly group: string;
  /**
   * Whether it may end between any two of its steps. To others one who crashed looks like one who is paused, so it takes no
   * step of its own to crash: if everything else has ended, a process in the middle of its steps may have crashed.
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

/** A write, or another call that runs once. It begins with the step that is written first. */
export const caller = (name: string, steps: Steps): Process => process(name, 'once', steps);
/** Readers that are all alike, each called once. */
export const readers = (count: number, steps: Steps): Process[] =>
  Array.from({ length: count }, (_, index) =>
    process(`Reader ${index + 1}`, 'once', steps, 'readers'),
  );
/** What works in the background until nothing is left: a relay, a subscriber, a replica. */
export const background = (name: string, steps: Steps): Process => process(name, 'always', steps);
/** What may happen, or not: a fault of a server, a recovery. */
export const chance = (name: string, steps: Steps): Process => process(name, 'maybe', steps);
/** The process, which may crash between any two of its steps. */
export const mayCrash = (it: Process): Process => ({ ...it, mayCrash: true });

/** Names of writers, which are also the values that they write. */
export const writerNames = (count: number): Value[] => [...'ABCD'].slice(0, count);

/** Notes what a reader must not go below from here on: the first thing that its first step does. */
export function called(world: World, me: Memory): void {
  me.calledAt = world.seen.version;
}

/** Ends a write with its acknowledgement. */
export function acknowledged(world: Draft, writer: Value, note = 'acknowledged'): Next {
  acknowledge(world, writer);
  return done(note);
}

/** Acknowledges a write that has more to do. */
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
 * Ends a read with its answer, which must not be older than what was acknowledged or answered before its call. A value
 * that is not committed counts as newer than all that are.
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
