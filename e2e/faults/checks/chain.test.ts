import { describe, expect, test } from 'vitest';
import type { FaultResource } from '../cluster/tables.ts';
import type { Ending } from '../load/ending.ts';
import type { MarkedWrite } from '../load/ledger.ts';
import { checkChain, type KeyRecord, type NotedChange, type Sent } from './chain.ts';

const ok = (version: number, value: number | null): Ending => ({
  e: 'ok',
  answer: { version, value },
});
const refused: Ending = { e: 'fail', code: 'FENCED' };
const unknown: Ending = { e: 'unknown', code: 'NO_ANSWER' };

const sent = (
  mark: string,
  op: MarkedWrite['op'],
  n: number | null,
  ...endings: Ending[]
): Sent => ({ mark, write: { resource: 'account', id: 1, op, n, endings } });

const record = (
  changes: NotedChange[],
  more: Partial<KeyRecord> = {},
  resource: FaultResource = 'account',
): KeyRecord => {
  const last = changes.at(-1);
  const row =
    last?.n === null || last === undefined ? null : { n: last.n, writer: last.writer ?? '' };
  return { resource, id: 1, changes, row, version: changes.length, ...more };
};

const put = (writer: string, n: number): NotedChange => ({ writer, n });
const gone: NotedChange = { writer: null, n: null };

/** A put, an increment, a delete and a put, as the callers' answers said. */
const GOOD = record([put('a', 10), put('b', 11), gone, put('d', 20)]);
const TOLD = [
  sent('a', 'write', 10, ok(1, 10)),
  sent('b', 'increment', null, ok(2, 11)),
  sent('c', 'delete', null, ok(3, null)),
  sent('d', 'cas', 20, ok(4, 20)),
];

describe('the chain of changes against what callers were told', () => {
  test('agrees if the database holds what callers were told', () => {
    expect(checkChain(GOOD, TOLD)).toEqual([]);
  });

  test('accepts an unknown write as applied, or as never applied', () => {
    expect(checkChain(record([put('a', 10)]), [sent('a', 'write', 10, unknown)])).toEqual([]);
    expect(checkChain(record([]), [sent('a', 'write', 10, unknown)])).toEqual([]);
    expect(checkChain(record([put('a', 10)]), [sent('a', 'write', 10)])).toEqual([]);
  });

  test('accepts a repeat that was refused after a first attempt with an unknown outcome', () => {
    const twice = [sent('a', 'write', 10, unknown, refused)];
    expect(checkChain(record([put('a', 10)]), twice)).toEqual([]);
  });

  const wrong: [string, KeyRecord, Sent[], RegExp][] = [
    ['a lost write', record([]), [sent('a', 'write', 10, ok(1, 10))], /acknowledged and is lost/],
    [
      'a write applied twice (W6)',
      record([put('a', 10), put('a', 10)]),
      [sent('a', 'write', 10, unknown, ok(1, 10))],
      /a second time/,
    ],
    [
      'a refused write that was applied (W4)',
      record([put('a', 10)]),
      [sent('a', 'write', 10, refused)],
      /not_applied and was applied/,
    ],
    [
      'a version that is not its place (W8)',
      record([put('a', 10), put('b', 20)]),
      [sent('a', 'write', 10, ok(2, 10)), sent('b', 'write', 20, ok(2, 20))],
      /told version 2 and is change 1/,
    ],
    [
      'a lost update',
      record([put('a', 10), put('b', 30), put('c', 11)]),
      [
        sent('a', 'write', 10, ok(1, 10)),
        sent('b', 'write', 30, ok(2, 30)),
        sent('c', 'increment', null, ok(3, 11)),
      ],
      /made 30 into 11/,
    ],
    ['a change of nobody', record([put('x', 1)]), [], /sent by nobody/],
    ['another value', record([put('a', 9)]), [sent('a', 'write', 10, unknown)], /put 9 instead/],
    ['a row that is not the last change', { ...GOOD, row: null }, TOLD, /the row is null/],
    ['a version that skipped (W8)', { ...GOOD, version: 5 }, TOLD, /version 5 after 4/],
    [
      'a delete that was not told',
      record([put('a', 10), gone]),
      [sent('a', 'write', 10, ok(1, 10))],
      /1 deletes, of 0/,
    ],
    [
      'a delete elsewhere than told (W8)',
      record([put('a', 10), gone, put('b', 20)]),
      [
        sent('a', 'write', 10, ok(1, 10)),
        sent('c', 'delete', null, ok(3, null)),
        sent('b', 'write', 20, unknown),
      ],
      /where there is no delete/,
    ],
  ];
  test.each(wrong)('finds %s', (_, keyRecord, marks, fault) => {
    expect(checkChain(keyRecord, marks).join('\n')).toMatch(fault);
  });

  test('does not ask for gapless versions of a resource that is not strict', () => {
    const loose = record([put('a', 10)], { version: 3 }, 'profile');
    expect(checkChain(loose, [sent('a', 'write', 10, ok(3, 10))])).toEqual([]);
  });
});
