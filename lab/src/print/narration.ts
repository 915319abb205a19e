/** A trace in words, step by step, for a reader who has never seen such a diagram. */
import type { Trace } from '../explore/explore.ts';
import type { Move } from '../explore/machine.ts';
import type { ReadNow, Scene } from '../explore/scene.ts';
import { CRASH } from '../model/process.ts';
import type { Entry } from '../model/world.ts';

/** One moment of a trace. */
export interface Narration {
  /** What was done; before the first step, the initial state. */
  step: string;
  /** What that has changed, in a sentence each. Empty: nothing. */
  changes: string[];
  /** What a reader gets who reads now. */
  read: string;
}

/** @param at 0: before the first step; else the number of the step that was just taken */
export function narrate(trace: Trace, at: number): Narration {
  const { steps, scenes } = trace;
  const [before, after, move] = [scenes[at - 1], scenes[at], steps[at - 1]];
  if (after === undefined) throw new RangeError(`the trace has no moment ${at}`);
  if (before === undefined || move === undefined) {
    return { step: beginning(after), changes: [], read: readWords(after.read) };
  }
  return {
    step: stepWords(move),
    changes: changesOf(before, after),
    read: readWords(after.read),
  };
}

function beginning({ database, cache }: Scene): string {
  const held =
    cache.state === 'value' ? `The cache holds ${cache.value}, too.` : 'The cache is empty.';
  return `Before the first step. The database holds ${database.value}. ${held}`;
}

function stepWords({ from, to, label, note, fault }: Move): string {
  if (fault === CRASH && from === to) {
    return `${from} crashes here. It takes no further step, and nobody is told.`;
  }
  const answer = note === '' ? '' : ` → ${note}`;
  const words = from === to ? `${from} ${label}` : `${from} to ${to}: ${label}`;
  return `${words}${answer}.${fault === null ? '' : ` That is a fault: ${fault}.`}`;
}

function changesOf(before: Scene, after: Scene): string[] {
  return [
    databaseChange(before, after),
    fenceChange(before, after),
    cacheChange(before.cache, after.cache),
    replicaChange(before, after),
    waiting(before.queue, after.queue, 'message'),
    waiting(before.outbox, after.outbox, 'outbox row'),
    lockChange(before.lock, after.lock),
    homeChange(before, after),
    acknowledgement(before, after),
  ].filter((sentence) => sentence !== null);
}

function databaseChange({ database: before }: Scene, { database: after }: Scene): string | null {
  if (before.version === after.version) return null;
  return `The database holds ${after.value} now, its version ${after.version}.`;
}

function fenceChange({ database: before }: Scene, { database: after }: Scene): string | null {
  if (before.fence === after.fence) return null;
  return `The highest fence that the database has seen is ${after.fence} now.`;
}

function cacheChange(before: Entry, after: Entry): string | null {
  const isSame =
    before.state === after.state &&
    before.value === after.value &&
    before.version === after.version &&
    before.fence === after.fence;
  if (isSame) return null;
  switch (after.state) {
    case 'value':
      return `The cache holds ${after.value} now.`;
    case 'nothing':
      return 'The cache is empty now: the next reader misses.';
    case 'lease':
      return 'A lease stands in the cache: its reader may fill as long as that very lease is there.';
    case 'tombstone':
      return `A tombstone stands in the cache: no lease is left, and nothing below version ${after.version} may be filled.`;
    case 'intent':
      return `A write intent with fence ${after.fence} stands in the cache: a reader who meets it reads the database and fills nothing.`;
  }
}

function replicaChange(before: Scene, after: Scene): string | null {
  if (before.replica === after.replica) return null;
  return `The replica has applied a commit: it holds ${String(after.replica)} now.`;
}

function waiting(before: string | null, after: string | null, what: string): string | null {
  if (before === null || after === null || before === after) return null;
  return after.length > before.length
    ? `A ${what} waits to be handled.`
    : `A ${what} is done with.`;
}

function lockChange(before: string | null, after: string | null): string | null {
  if (after === null || before === after) return null;
  return after === '' ? 'The lock is free.' : `The lock is held by ${holder(after)}.`;
}

/** The holder of a lock in words: writers are stored by their letter, others by their name. */
const holder = (name: string): string => (name.length === 1 ? `Writer ${name}` : name);

function homeChange(before: Scene, after: Scene): string | null {
  if (after.home === null || before.home === after.home) return null;
  return `Requests go to Home ${after.home} from now on; Home ${String(before.home)} may still be at work.`;
}

function acknowledgement(before: Scene, after: Scene): string | null {
  const told = [...after.acknowledged].find((writer) => !before.acknowledged.includes(writer));
  if (told === undefined) return null;
  return `Writer ${told} is told that its write is done: no read that begins now may be older.`;
}

const READ_WORDS: Record<ReadNow['freshness'], string> = {
  current: 'which is what the database holds',
  behind: 'older than the database, but nobody was told of anything newer yet',
  old: 'though something newer was acknowledged or read before: a stale read',
  uncommitted: 'which the database does not hold',
};

function readWords({ value, from, freshness }: ReadNow): string {
  const where = from === 'Cache' ? 'from the cache' : `from the ${from.toLowerCase()}, on a miss`;
  return `A reader who asks now is answered ${value} ${where}, ${READ_WORDS[freshness]}.`;
}
