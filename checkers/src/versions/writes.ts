import type { Effect } from '../repeats.ts';
import type { Violation } from '../verdict.ts';
import { isStrict, versionOf, violations, type Chain } from './chain.ts';

/** W8: two writes that were applied never have one version. */
export function uniqueVersions(chain: Chain): Violation[] {
  const found = chain.writes.flatMap((write, index) => {
    const next = chain.writes[index + 1];
    const version = versionOf(write);
    if (next === undefined || version !== versionOf(next)) return [];
    const message = `two acknowledged writes have version ${version}`;
    return [{ message, operations: [write.operations[0], next.operations[0]] }];
  });
  return violations(chain, 'W8', found);
}

/** W6: all repeats with one idempotency key are one write. */
export function repeatsAreOne(chain: Chain): Violation[] {
  const found = chain.writes.flatMap(({ operations }) => {
    const told = operations.filter(({ answer }) => answer.version !== undefined);
    const [first] = told;
    const other = told.find(({ answer }) => answer.version !== first?.answer.version);
    if (first === undefined || other === undefined) return [];
    const message =
      `repeats with one idempotency key were applied as version ${first.answer.version} ` +
      `and as version ${other.answer.version}`;
    return [{ message, operations: [first, other] }];
  });
  return violations(chain, 'W6', found);
}

/** W8: a write's version is above all that was acknowledged or read before it was sent. */
export function writesGrow(chain: Chain): Violation[] {
  const found = chain.writes.flatMap((write) => {
    const [first] = write.operations;
    const floor = first === undefined ? undefined : chain.floors.get(first)?.known;
    const version = versionOf(write) ?? 0;
    if (floor === undefined || version > floor.version) return [];
    const message = `a write is version ${version} though ${floor.version} was there before it was sent`;
    return [{ message, operations: [floor.by, first] }];
  });
  return violations(chain, 'W8', found);
}

/** W11: a write on a condition (`If-Match`) comes right after the version that it named. */
export function conditionsHold(chain: Chain): Violation[] {
  const found = chain.writes.flatMap((write, index) => {
    const { call } = write;
    const version = versionOf(write) ?? 0;
    if (call.op !== 'cas' || call.ifMatch === undefined) return [];
    const before = chain.writes[index - 1];
    const between = before === undefined ? chain.initial.version : (versionOf(before) ?? 0);
    const isNext = isStrict(chain) ? version === call.ifMatch + 1 : version > call.ifMatch;
    if (isNext && between <= call.ifMatch) return [];
    const message = `a write on condition of version ${call.ifMatch} was applied as version ${version}`;
    return [{ message, operations: [before?.operations[0], write.operations[0]] }];
  });
  return violations(chain, 'W11', found);
}

/**
 * W8, strict: the chain has no gap. A version that no answer names is that of a write with an unknown outcome, which
 * was sent before anybody saw this version or a later one; each such write explains one version.
 */
export function noGap(chain: Chain): Violation[] {
  if (!isStrict(chain)) return [];
  const deadlines = firstSightings(chain);
  const told = new Set(chain.writes.map(versionOf));
  let explained = 0;
  let version = chain.initial.version;
  for (const { version: seen, at, by } of deadlines) {
    while (version < seen) {
      version += 1;
      if (told.has(version)) continue;
      const explains = chain.untold[explained];
      explained += 1;
      if (explains !== undefined && explains.invoked < at) continue;
      const message = `no write explains version ${version}, and ${seen} was seen`;
      return violations(chain, 'W8', [{ message, operations: [by] }]);
    }
  }
  return [];
}

/** For the versions that were seen, ascending: the first moment at which this one or a later one was seen. */
function firstSightings(
  chain: Chain,
): { version: number; at: number; by: Effect['operations'][number] }[] {
  const sightings = chain.operations
    .flatMap((by) => {
      const { version } = by.answer;
      return version === undefined ? [] : [{ version, at: by.returned, by }];
    })
    .sort((a, b) => a.version - b.version);
  for (let index = sightings.length - 2; index >= 0; index--) {
    const [one, later] = [sightings[index], sightings[index + 1]];
    if (one !== undefined && later !== undefined && later.at < one.at) {
      sightings[index] = { ...later, version: one.version };
    }
  }
  return sightings;
}
