import type { Operation } from '../history.ts';
import type { Violation } from '../verdict.ts';
import { isRead, isStrict, versionOf, violations, type Chain, type Floor } from './chain.ts';

/** Which floor a read is held to, and the invariant that says so. */
interface Promised {
  rule: string;
  floor: Floor;
}

/**
 * R6: a strict read is not below what was acknowledged or read before it was sent, wherever it came from.
 * R2: nor is a read of the primary database under any policy.
 * W9: a read through the cache is not below what a write acknowledged as `fresh` or `invalidated` before it was sent.
 * An answer from the caller's memory may be behind that by a time that no history knows.
 */
export function readsAreNotBelow(chain: Chain): Violation[] {
  return chain.operations.filter(isRead).flatMap((read) => {
    const promised = promisedTo(chain, read);
    if (promised === null) return [];
    const { rule, floor } = promised;
    const { version, value } = read.answer;
    if (version === undefined) {
      if (value !== null || mayBeAbsent(chain, read, floor.version)) return [];
      const message = `a read found no row though version ${floor.version} was there before it was sent`;
      return violations(chain, rule, [{ message, operations: [floor.by, read] }]);
    }
    if (version >= floor.version) return [];
    const message = `a read answered version ${version} though ${floor.version} was there before it was sent`;
    return violations(chain, rule, [{ message, operations: [floor.by, read] }]);
  });
}

/** R4: a read with `minVersion` is not below it. */
export function readsReachMinVersion(chain: Chain): Violation[] {
  const found = chain.operations.filter(isRead).flatMap((read) => {
    const least = read.call.op === 'read' ? (read.call.minVersion ?? 0) : 0;
    const version = read.answer.version ?? least;
    if (version >= least) return [];
    const message = `a read that asked for version ${least} or newer was answered version ${version}`;
    return [{ message, operations: [read] }];
  });
  return violations(chain, 'R4', found);
}

function promisedTo(chain: Chain, read: Operation): Promised | null {
  const floors = chain.floors.get(read);
  if (floors === undefined) return null;
  if (isStrict(chain)) return { rule: 'R6', floor: floors.known };
  if (read.answer.source === 'local') return null;
  const isPrimary = read.call.op === 'read' && read.call.primary === true;
  if (isPrimary || read.answer.source === 'primary') return { rule: 'R2', floor: floors.known };
  return { rule: 'W9', floor: floors.honest };
}

/** A read that found no row and has no version: some removal must be at or above the floor, and sent in time. */
function mayBeAbsent(chain: Chain, read: Operation, floor: number): boolean {
  if (chain.initial.value === null && chain.initial.version >= floor) return true;
  return chain.removals.some(
    (write) => write.invoked < read.returned && (versionOf(write) ?? floor) >= floor,
  );
}
