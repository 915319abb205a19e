/** Set-based writes of the double for tests: which rows match, and what is answered. */
import { invalidArgument } from './errors.ts';
import type { Key, Row, SetResult, Where, WriteResult } from './types.ts';

type Test = (column: unknown, value: unknown) => boolean;
const isOrdered =
  (holds: (order: number) => boolean): Test =>
  (column, value) =>
    isThere(column) && isThere(value) && holds(orderOf(column, value));

const TESTS: Readonly<Record<string, Test>> = {
  $eq: (column, value) => (isThere(value) ? isOrdered(isZero)(column, value) : !isThere(column)),
  $ne: (column, value) =>
    isThere(value) ? isOrdered((order) => order !== 0)(column, value) : isThere(column),
  $lt: isOrdered((order) => order < 0),
  $lte: isOrdered((order) => order <= 0),
  $gt: isOrdered((order) => order > 0),
  $gte: isOrdered((order) => order >= 0),
  $in: (column, values) =>
    Array.isArray(values) && values.some((value) => isOrdered(isZero)(column, value)),
};
const isZero = (order: number): boolean => order === 0;
const isThere = (value: unknown): boolean => value !== null && value !== undefined;

/** By number where both are numbers, else by their texts. */
function orderOf(one: unknown, other: unknown): number {
  const areNumbers = [one, other].every((each) => !Number.isNaN(Number(each)) && each !== '');
  if (areNumbers) return Number(one) - Number(other);
  const [text, otherText] = [String(one), String(other)];
  return text < otherText ? -1 : text > otherText ? 1 : 0;
}

/**
 * The keys of the rows that match.
 * @param names the key's columns
 * @throws LockstepError `INVALID` as the coordinator does
 */
export function matchingKeys(
  rows: readonly (readonly [string, { row: Row | null }])[],
  names: readonly string[],
  where: Where,
): Key[] {
  assertWhere(where);
  return rows.flatMap(([, { row }]) => {
    if (row === null || !isMatch(row, where)) return [];
    const [first = '', ...rest] = names.map((column) => String(row[column]));
    return [rest.length === 0 ? first : [first, ...rest]];
  });
}

function assertWhere(where: Where): void {
  const tests = Object.entries(where);
  if (tests.length === 0) throw invalidArgument('where', 'must have at least one condition');
  for (const [name, test] of tests) {
    const operators = isObject(test) ? Object.keys(test) : ['$eq'];
    const unknown = operators.find((operator) => !Object.hasOwn(TESTS, operator));
    if (operators.length === 0 || unknown !== undefined)
      throw invalidArgument(
        `where.${name}`,
        `must be a value, or ${Object.keys(TESTS).join(', ')}`,
      );
  }
}

const isMatch = (row: Row, where: Where): boolean =>
  Object.entries(where).every(([name, test]) => {
    const operators = isObject(test) ? Object.entries(test) : [['$eq', test] as const];
    return operators.every(([operator, value]) => TESTS[operator]?.(row[name], value) === true);
  });

const isObject = (test: unknown): test is object => typeof test === 'object' && test !== null;

const CACHE_BY_PROMISE = ['pending', 'invalidated', 'fresh'] as const;

export const setResultOf = (resource: string, results: readonly WriteResult[]): SetResult => ({
  resource,
  affected: results.length,
  keys: results.map(({ key }) => key),
  versions: results.map(({ version }) => version),
  outcome: 'applied',
  cache: CACHE_BY_PROMISE.find((each) => results.some(({ cache }) => cache === each)) ?? 'none',
});
