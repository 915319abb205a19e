import type { JsonValue } from '@lockstep/shared';
import { canonical, type Operation } from '../history.ts';
import { sumOf } from '../sum.ts';
import { isWrite, type Effect } from '../repeats.ts';
import type { Violation } from '../verdict.ts';
import { isRead, isStrict, versionOf, violations, type Chain } from './chain.ts';

/** The value of a version, and which answer showed it. `write`: the write that made the version, if known. */
interface Told {
  value: JsonValue;
  by: Operation | undefined;
  write: Effect | null;
}

/**
 * R7: what is answered under a version is what the write of that version left; all answers agree on it, none is given
 * before that write was sent, and increments count once.
 * W4: what was answered `not_applied` is never seen.
 */
export function answersAgree(chain: Chain): Violation[] {
  const reads = chain.operations.filter(isRead);
  const told = new Map<number, Told>();
  told.set(chain.initial.version, { value: chain.initial.value, by: undefined, write: null });
  noteUntold(chain, reads, told);
  return [
    ...chain.writes.flatMap((write) => noteWrite(chain, write, told)),
    ...reads.flatMap((read) => checkRead(chain, read, told)),
  ];
}

/** The versions that no acknowledged write has are known from reads alone. */
function noteUntold(chain: Chain, reads: readonly Operation[], told: Map<number, Told>): void {
  const acknowledged = new Set(chain.writes.map(versionOf));
  for (const read of reads) {
    const { version, value } = read.answer;
    if (version === undefined || value === undefined) continue;
    if (acknowledged.has(version) || told.has(version)) continue;
    told.set(version, { value, by: read, write: null });
  }
}

function noteWrite(chain: Chain, write: Effect, told: Map<number, Told>): Violation[] {
  const version = versionOf(write) ?? 0;
  const [by] = write.operations;
  const before = isStrict(chain) ? told.get(version - 1) : undefined;
  const expected = valueAfter(write, before?.value);
  const value = write.answered ?? expected;
  if (value === undefined) return [];
  if (!told.has(version)) told.set(version, { value, by, write });
  if (expected === undefined || canonical(expected) === canonical(value)) return [];
  const message =
    `version ${version} was answered as ${canonical(value)}; ` +
    `after what was there before it must be ${canonical(expected)}`;
  return violations(chain, 'R7', [{ message, operations: [before?.by, by] }]);
}

function checkRead(chain: Chain, read: Operation, told: Map<number, Told>): Violation[] {
  const { version, value } = read.answer;
  if (version === undefined || value === undefined) return [];
  const known = told.get(version);
  if (known === undefined) {
    // Its write's answer had no value, and it can't be computed: the first read shows it.
    told.set(version, { value, by: undefined, write: null });
    return [];
  }
  if (known.by === read) return unexplained(chain, read, version, value, told);
  if (canonical(known.value) !== canonical(value)) {
    const message =
      `version ${version} was answered as ${canonical(value)} ` +
      `and is ${canonical(known.value)}`;
    return violations(chain, 'R7', [{ message, operations: [known.by, read] }]);
  }
  if (known.write === null || known.write.invoked < read.returned) return [];
  const message = `version ${version} was read before its write was sent`;
  return violations(chain, 'R7', [{ message, operations: [read, known.by] }]);
}

/** A version whose write nobody acknowledged: one of unknown outcome must fit. */
function unexplained(
  chain: Chain,
  read: Operation,
  version: number,
  value: JsonValue,
  told: ReadonlyMap<number, Told>,
): Violation[] {
  const before = isStrict(chain) ? told.get(version - 1)?.value : undefined;
  const fits = (effect: Pick<Effect, 'call' | 'invoked'>): boolean => {
    if (effect.invoked >= read.returned) return false;
    const left = valueAfter(effect, before);
    return left === undefined || canonical(left) === canonical(value);
  };
  if (chain.untold.some(fits)) return [];
  const refused = chain.operations.find(
    (operation) =>
      isWrite(operation) &&
      operation.ending === 'fail' &&
      operation.call.op !== 'delete' &&
      fits(operation),
  );
  const what = `version ${version}, ${canonical(value)},`;
  if (refused === undefined) {
    const message = `${what} was read, and no write explains it`;
    return violations(chain, 'R7', [{ message, operations: [read] }]);
  }
  const message = `${what} was read, and only a write answered as not applied explains it`;
  return violations(chain, 'W4', [{ message, operations: [refused, read] }]);
}

/** What a write leaves; `undefined` if that depends on an unknown value. */
function valueAfter(
  { call }: Pick<Effect, 'call'>,
  before: JsonValue | undefined,
): JsonValue | undefined {
  switch (call.op) {
    case 'write':
    case 'cas':
      return call.value;
    case 'delete':
      return null;
    case 'increment':
      return before === undefined ? undefined : sumOf(before, call.by, call.field);
    default:
      return undefined;
  }
}
