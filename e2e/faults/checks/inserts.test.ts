import { describe, expect, test } from 'vitest';
import type { Insert } from '../load/inserts.ts';
import { compareInserts, type InsertedRow } from './inserts.ts';

const OK: Insert['ending'] = { e: 'ok', answer: { version: 1 } };
const FAILED: Insert['ending'] = { e: 'fail', code: 'DATABASE_UNAVAILABLE' };
const UNKNOWN: Insert['ending'] = { e: 'unknown', code: 'OUTCOME_UNKNOWN' };
const insert = (changes: Partial<Insert>): Insert => ({
  ...{ mark: 'm', n: 5, ending: OK, id: 7 },
  ...changes,
});
const row = (changes: Partial<InsertedRow> = {}): InsertedRow => ({
  ...{ id: 7, n: 5, writer: 'm' },
  ...changes,
});

describe('W15: an insert', () => {
  test.each([
    ['acknowledged, and there under its key', insert({}), [row()]],
    ['answered as not applied, and not there', insert({ ending: FAILED, id: null }), []],
    ['of unknown outcome, and there', insert({ ending: UNKNOWN, id: null }), [row()]],
    ['of unknown outcome, and not there', insert({ ending: UNKNOWN, id: null }), []],
    ['still open, and there', insert({ ending: null, id: null }), [row()]],
  ])('is right: %s', (_title, one, rows) => {
    expect(compareInserts([one], rows)).toEqual([]);
  });

  test.each([
    ['acknowledged and lost', insert({}), [], 'is lost'],
    ['made two rows', insert({}), [row(), row({ id: 8 })], 'made 2 rows'],
    ['answered another key', insert({ id: 8 }), [row()], 'is row 7'],
    ['answered another value', insert({ n: 6 }), [row()], 'with 5'],
    [
      'answered as not applied, and there',
      insert({ ending: FAILED, id: null }),
      [row()],
      'made row 7',
    ],
  ])('is found wrong: %s', (_title, one, rows, found) => {
    expect(compareInserts([one], rows)).toEqual([expect.stringContaining(found)]);
  });
});
