import type { JsonValue, Policy } from '@lockstep/shared';
import { resourceOf, type History, type Operation } from '../history.ts';
import { effectsOf, isWrite, type Effect } from '../repeats.ts';
import type { Violation } from '../verdict.ts';

/** What is known of a key from the operations that had ended before some moment. */
export interface Floor {
  /** Highest version that was acknowledged or read. */
  version: number;
  /** Which operation showed it; `null`: it was there before the run. */
  by: Operation | null;
}

/** The floors at an operation's invocation. */
export interface Floors {
  known: Floor;
  /** Only writes whose answer said `fresh` or `invalidated`: nothing older may come from the cache. */
  honest: Floor;
}

/** One key's operations, prepared for the rules about versions. */
export interface Chain {
  key: string;
  policy: Policy;
  operations: readonly Operation[];
  initial: { value: JsonValue; version: number };
  /** Writes whose answer had a version, by version. */
  writes: readonly Effect[];
  /** Writes that may have been applied, with a version that no answer names. By invocation. */
  untold: readonly Effect[];
  /** Writes of either kind that remove the row. */
  removals: readonly Effect[];
  floors: ReadonlyMap<Operation, Floors>;
}

export function chainOf(key: string, operations: readonly Operation[], history: History): Chain {
  const writes = effectsOf(operations.filter(isWrite));
  const initial = history.initial.get(key) ?? { value: null, version: 0 };
  return {
    key,
    policy: history.header.resources[resourceOf(key)]?.policy ?? 'none',
    operations,
    initial,
    writes: writes
      .filter((write) => versionOf(write) !== undefined)
      .sort((a, b) => (versionOf(a) ?? 0) - (versionOf(b) ?? 0)),
    untold: writes.filter((write) => versionOf(write) === undefined),
    removals: writes.filter(({ call }) => call.op === 'delete'),
    floors: floorsOf(operations, initial.version),
  };
}

/** The version that a write was acknowledged with. */
export const versionOf = ({ operations }: Effect): number | undefined =>
  operations.find(({ answer }) => answer.version !== undefined)?.answer.version;

export const isRead = (operation: Operation): boolean =>
  operation.ending === 'ok' && !isWrite(operation);

export const isStrict = ({ policy }: Chain): boolean => policy === 'strict';

/** Violations of one rule, each with the operations that are known of those that show it. */
export function violations(
  { key }: Chain,
  rule: string,
  found: readonly { message: string; operations: readonly (Operation | null | undefined)[] }[],
): Violation[] {
  return found.map(({ message, operations }) => ({
    rule,
    key,
    message,
    operations: operations.filter((operation) => operation !== null && operation !== undefined),
  }));
}

function floorsOf(operations: readonly Operation[], version: number): Map<Operation, Floors> {
  const ended = operations
    .filter(({ ending }) => ending === 'ok')
    .sort((a, b) => a.returned - b.returned);
  const floors = new Map<Operation, Floors>();
  let known: Floor = { version, by: null };
  let honest: Floor = { version, by: null };
  let at = 0;
  for (const operation of operations) {
    for (let one = ended[at]; one !== undefined && one.returned < operation.invoked;) {
      known = raised(known, one);
      const { cache } = one.answer;
      if (cache === 'fresh' || cache === 'invalidated') honest = raised(honest, one);
      one = ended[++at];
    }
    floors.set(operation, { known, honest });
  }
  return floors;
}

function raised(floor: Floor, by: Operation): Floor {
  const version = by.answer.version ?? 0;
  return version > floor.version ? { version, by } : floor;
}
