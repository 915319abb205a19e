import { describe, expect, test } from 'vitest';
import { recorded, type Steps } from '../testing/session.ts';
import { increment, read, write } from '../testing/steps.ts';
import { checkValues } from './checker.ts';

describe('increments', () => {
  const cases: [string, 'holds' | 'violated', Steps][] = [
    [
      'two unknown increments counted one by one',
      'holds',
      (s) => {
        s.do(write(0));
        s.recorder.unknown(s.begin(increment), 'TIMED_OUT');
        s.recorder.unknown(s.begin(increment), 'TIMED_OUT');
        s.do(read, { value: 0 });
        s.do(read, { value: 1 });
        s.do(read, { value: 2 });
      },
    ],
    [
      'two unknown increments counted three times',
      'violated',
      (s) => {
        s.do(write(0));
        s.recorder.unknown(s.begin(increment), 'TIMED_OUT');
        s.recorder.unknown(s.begin(increment), 'TIMED_OUT');
        s.do(read, { value: 3 });
      },
    ],
    [
      'an increment beyond 2^53, as text',
      'holds',
      (s) => {
        s.do(write('9007199254740993'));
        s.do(increment, { value: '9007199254740994' });
        s.do(read, { value: '9007199254740994' });
      },
    ],
    [
      'an increment answered with no number',
      'violated',
      (s) => {
        s.do(write('none'));
        s.do(increment, { value: 'nonf' });
      },
    ],
    [
      'an increment of a field that the row does not have',
      'violated',
      (s) => {
        s.do(write({ owner: 'a' }));
        s.do({ op: 'increment', by: 1, field: 'n' });
      },
    ],
    [
      'an increment of a list',
      'violated',
      (s) => {
        s.do(write([1]));
        s.do({ op: 'increment', by: 1, field: '0' });
      },
    ],
    [
      'an increment finds no row though one was there',
      'violated',
      (s) => {
        s.do(write(1));
        s.recorder.fail(s.begin(increment), 'NOT_FOUND');
      },
    ],
    [
      'an unknown write, then an unknown increment of it, is seen',
      'holds',
      (s) => {
        s.recorder.unknown(s.begin(write(5)), 'TIMED_OUT');
        s.recorder.unknown(s.begin(increment), 'TIMED_OUT');
        s.do(read, { value: 6 });
      },
    ],
    [
      'two fields incremented, each by its own',
      'holds',
      (s) => {
        s.do(write({ a: 0, b: 0 }));
        s.do({ op: 'increment', by: 1, field: 'a' });
        s.do({ op: 'increment', by: 1, field: 'b' });
        s.recorder.unknown(s.begin({ op: 'increment', by: 1, field: 'b' }), 'TIMED_OUT');
        s.do(read, { value: { a: 1, b: 2 } });
      },
    ],
    [
      'two fields incremented, one for the other',
      'violated',
      (s) => {
        s.do(write({ a: 0, b: 0 }));
        s.do({ op: 'increment', by: 1, field: 'a' });
        s.do({ op: 'increment', by: 1, field: 'b' });
        s.do(read, { value: { a: 2, b: 0 } });
      },
    ],
    [
      'a sum beyond 2^53 that comes back by a lower number',
      'holds',
      (s) => {
        const [low, high] = ['9007199254740990', '9007199254740993'];
        for (let round = 0; round < 2; round++) {
          s.do(write(low));
          s.do({ op: 'increment', by: 3 }, { value: high });
          s.do(read, { value: high });
        }
      },
    ],
    [
      'a difference that comes back by a number beyond 2^53',
      'holds',
      (s) => {
        const [low, high] = ['9007199254740990', '9007199254740993'];
        for (let round = 0; round < 2; round++) {
          s.do(write(high));
          s.do({ op: 'increment', by: -3 }, { value: low });
          s.do(read, { value: low });
        }
      },
    ],
    [
      'an unknown compare-and-set brings back a lower number',
      'holds',
      (s) => {
        s.do(write(5));
        s.do(increment, { value: 6 });
        s.recorder.unknown(s.begin({ op: 'cas', value: 5, expect: 6 }), 'TIMED_OUT');
        s.do(read, { value: 6 });
        s.do(read, { value: 5 });
        s.do(increment, { value: 6 });
      },
    ],
  ];

  test.each(cases)('%s: %s', (_name, verdict, steps) => {
    const judged = checkValues(recorded(steps));
    expect(judged.verdict).toBe(verdict);
    expect(judged.violations.length > 0).toBe(verdict === 'violated');
  });
});
