import { describe, expect, test } from 'vitest';
import { recorded, type Steps } from '../testing/session.ts';
import { increment, read, remove, write } from '../testing/steps.ts';
import { checkValues } from './checker.ts';

describe('reads, writes and removals', () => {
  const cases: [string, 'holds' | 'violated', Steps][] = [
    ['nothing at all', 'holds', () => undefined],
    [
      'what was there before the run is read',
      'holds',
      (s) => {
        s.recorder.initial('account:1', 7, 1);
        s.do(read, { value: 7 });
      },
    ],
    [
      'what was there before the run is forgotten',
      'violated',
      (s) => {
        s.recorder.initial('account:1', 7, 1);
        s.do(read, { value: null });
      },
    ],
    [
      'keys have orders of their own',
      'holds',
      (s) => {
        s.do(write(1), {}, 'account:1');
        s.do(write(2), {}, 'account:2');
        s.do(read, { value: 1 }, 'account:1');
        s.do(read, { value: 2 }, 'account:2');
      },
    ],
    [
      'a read sees a write of another key',
      'violated',
      (s) => {
        s.do(write(1), {}, 'account:1');
        s.do(read, { value: 1 }, 'account:2');
      },
    ],
    [
      'a stale read straight from the cache',
      'violated',
      (s) => {
        s.do(write(1));
        s.do(write(2));
        s.do({ op: 'cache-read' }, { value: 1 });
      },
    ],
    [
      'a read without an answer tells nothing',
      'holds',
      (s) => {
        s.do(write(1));
        s.do(read, {});
        s.recorder.fail(s.begin({ op: 'cache-read' }), 'MISS');
      },
    ],
    [
      'two reads see two overlapping writes in opposite orders',
      'violated',
      (s) => {
        const [one, two] = [s.begin(write(1)), s.begin(write(2))];
        s.do(read, { value: 1 });
        s.do(read, { value: 2 });
        s.do(read, { value: 1 });
        s.recorder.ok(one, {});
        s.recorder.ok(two, {});
      },
    ],
    [
      'an unknown write is seen late',
      'holds',
      (s) => {
        s.recorder.unknown(s.begin(write(1)), 'TIMED_OUT');
        s.do(write(2));
        s.do(read, { value: 2 });
        s.do(read, { value: 1 });
      },
    ],
    [
      'an unknown write is seen twice with another one between',
      'violated',
      (s) => {
        s.recorder.unknown(s.begin(write(1)), 'TIMED_OUT');
        s.do(write(2));
        s.do(read, { value: 1 });
        s.do(read, { value: 2 });
      },
    ],
    [
      'an unknown write is seen before it was sent',
      'violated',
      (s) => {
        s.do(read, { value: 1 });
        s.recorder.unknown(s.begin(write(1)), 'TIMED_OUT');
      },
    ],
    [
      'a refused write is seen',
      'violated',
      (s) => {
        s.recorder.fail(s.begin(write(1)), 'FENCED');
        s.do(read, { value: 1 });
      },
    ],
    [
      'a write is answered with another value',
      'violated',
      (s) => s.do(write({ owner: 'a', n: 0 }), { value: { owner: 'b', n: 0 } }),
    ],
    [
      'a write is answered with its value, names in another order',
      'holds',
      (s) => s.do(write({ owner: 'a', n: 0 }), { value: { n: 0, owner: 'a' } }),
    ],
    [
      'a removal is answered with a row',
      'violated',
      (s) => {
        s.do(write(1));
        s.do(remove, { value: 1 });
      },
    ],
    [
      'a removal finds no row though one was there',
      'violated',
      (s) => {
        s.do(write(1));
        s.recorder.fail(s.begin(remove), 'NOT_FOUND');
      },
    ],
    [
      'a write that is refused for what the server says tells nothing of the value',
      'holds',
      (s) => {
        s.do(write(1));
        s.recorder.fail(
          s.begin({ op: 'cas', value: 2, expect: 1, ifMatch: 1 }),
          'VERSION_MISMATCH',
        );
        s.recorder.fail(s.begin(write(2)), 'NOT_FOUND');
        s.recorder.fail(s.begin(remove), 'FENCED');
        s.recorder.fail(s.begin(increment), 'VALUE_MISMATCH');
      },
    ],
    [
      'a compare-and-set by version alone',
      'holds',
      (s) => {
        s.do(write(1));
        s.do({ op: 'cas', value: 2, ifMatch: 1 });
        s.do(read, { value: 2 });
      },
    ],
    [
      'a row is removed twice with an unknown write between',
      'holds',
      (s) => {
        s.recorder.unknown(s.begin(write(1)), 'TIMED_OUT');
        s.do(remove);
        s.recorder.unknown(s.begin(write(2)), 'TIMED_OUT');
        s.do(remove);
      },
    ],
    [
      'a row is removed twice with nothing between',
      'violated',
      (s) => {
        s.do(write(1));
        s.do(remove);
        s.do(remove);
      },
    ],
    [
      'an unknown removal whose code says that nothing was there',
      'holds',
      (s) => {
        s.do(write(1));
        s.recorder.unknown(s.begin(remove), 'NOT_FOUND');
        s.do(read, { value: 1 });
      },
    ],
  ];

  test.each(cases)('%s: %s', (_name, verdict, steps) => {
    const judged = checkValues(recorded(steps));
    expect(judged.verdict).toBe(verdict);
    expect(judged.violations.length > 0).toBe(verdict === 'violated');
  });
});
