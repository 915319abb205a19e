import { describe, expect, test } from 'vitest';
import { rulesBroken, type Case } from '../testing/broken-rules.ts';
import { type Steps } from '../testing/session.ts';
import { increment, read, write } from '../testing/steps.ts';

const unknown = 'OUTCOME_UNKNOWN';

describe('R7 and W4, what a version holds', () => {
  const cases: Case[] = [
    [
      'is what its write left',
      ['R7'],
      (s) => {
        s.do(write('a'), { version: 1 });
        s.do(read, { version: 1, value: 'b' });
      },
    ],
    ['is what its write said', ['R7'], (s) => s.do(write('a'), { version: 1, value: 'b' })],
    [
      'counts each increment once',
      ['R7'],
      (s) => {
        s.do(write(1), { version: 1, value: 1 });
        s.do(increment, { version: 2, value: 2 });
        s.do(increment, { version: 3, value: 2 });
      },
    ],
    [
      'counts an increment of unknown outcome that was read',
      ['R7'],
      (s) => {
        s.do(write(1), { version: 1, value: 1 });
        s.recorder.unknown(s.begin(increment), unknown);
        s.do(read, { version: 2, value: 3 });
      },
    ],
    [
      'can be told by reads alone, and they agree',
      ['R7'],
      (s) => {
        s.recorder.unknown(s.begin(write('a')), unknown);
        s.recorder.unknown(s.begin(write('b')), unknown);
        s.do(read, { version: 1, value: 'a' });
        s.do(read, { version: 1, value: 'b' });
      },
    ],
    [
      'can be told by reads alone where the write told no value',
      ['R7'],
      (s) => {
        s.recorder.initial('account:1', 'a', 0);
        s.recorder.unknown(s.begin(write(1)), unknown);
        s.do(increment, { version: 2 });
        s.do(read, { version: 2, value: 2 });
        s.do(read, { version: 2, value: 3 });
      },
    ],
    ['comes from some write', ['R7', 'W8'], (s) => s.do(read, { version: 1, value: 'a' })],
    [
      'comes from a write that fits',
      ['R7'],
      (s) => {
        s.recorder.unknown(s.begin(write('b')), unknown);
        s.do(read, { version: 1, value: 'a' });
      },
    ],
    [
      'comes from a write that was sent before',
      ['R7'],
      (s) => {
        s.do(read, { version: 1, value: 'a' });
        s.do(write('a'), { version: 1 });
      },
    ],
    [
      'does not come from a refused write',
      ['W4', 'W8'],
      (s) => {
        s.recorder.fail(s.begin(write('a')), 'FENCED');
        s.do(read, { version: 1, value: 'a' });
      },
    ],
    [
      'is what was there before the run',
      ['R7'],
      (s) => {
        s.recorder.initial('account:1', 'a', 3);
        s.do(read, { version: 3, value: 'b' });
      },
    ],
  ];

  test.each(cases)('%s: %j', (_name, rules, steps) => {
    expect(rulesBroken(steps).sort()).toEqual(expect.arrayContaining(rules));
    expect(rulesBroken(steps)).not.toEqual([]);
  });

  test('does not apply to increments outside of strict, where versions have gaps', () => {
    const steps: Steps = (s) => {
      s.do(write(1), { version: 1, value: 1 });
      s.do(increment, { version: 2, value: 3 });
    };
    expect(rulesBroken(steps, 'delete-after-write')).toEqual([]);
  });
});
