import { describe, expect, test } from 'vitest';
import { rulesBroken, type Case } from '../testing/broken-rules.ts';
import { type Steps } from '../testing/session.ts';
import { increment, read, remove, write } from '../testing/steps.ts';

const unknown = 'OUTCOME_UNKNOWN';

describe('W8, writes of a strict resource', () => {
  const cases: Case[] = [
    [
      'one after another',
      [],
      (s) => {
        s.do(write('a'), { version: 1, value: 'a' });
        s.do(write('b'), { version: 2, value: 'b' });
        s.do(remove, { version: 3, value: null });
        s.do(write('c'), { version: 4, value: 'c' });
      },
    ],
    [
      'on what was there before',
      [],
      (s) => {
        s.recorder.initial('account:1', 'a', 7);
        s.do(read, { version: 7, value: 'a' });
        s.do(write('b'), { version: 8, value: 'b' });
      },
    ],
    [
      'acknowledged out of order while both were under way',
      [],
      (s) => {
        const one = s.begin(write('a'));
        s.do(write('b'), { version: 2 });
        s.recorder.ok(one, { version: 1 });
      },
    ],
    [
      'with one version',
      ['W8'],
      (s) => {
        const one = s.begin(write('a'));
        s.do(write('b'), { version: 1 });
        s.recorder.ok(one, { version: 1 });
      },
    ],
    [
      'not above what was acknowledged',
      ['W8'],
      (s) => {
        s.do(write('a'), { version: 2 });
        s.do(write('b'), { version: 1 });
      },
    ],
    [
      'not above what was read',
      ['W8', 'R7'],
      (s) => {
        s.recorder.unknown(s.begin(write('a')), unknown);
        s.do(read, { version: 1, value: 'a' });
        s.do(write('b'), { version: 1 });
      },
    ],
    [
      'with a gap that no write explains',
      ['W8'],
      (s) => {
        s.do(write('a'), { version: 1 });
        s.do(write('b'), { version: 3 });
      },
    ],
    [
      'with a gap that one of unknown outcome explains',
      [],
      (s) => {
        s.do(write('a'), { version: 1 });
        s.recorder.unknown(s.begin(write('b')), unknown);
        s.do(write('c'), { version: 3 });
      },
    ],
    [
      'with a gap that was seen before the one of unknown outcome was sent',
      ['W8'],
      (s) => {
        s.do(write('a'), { version: 1 });
        s.do(write('c'), { version: 3 });
        s.recorder.unknown(s.begin(write('b')), unknown);
      },
    ],
    [
      'with two gaps and one of unknown outcome',
      ['W8'],
      (s) => {
        s.recorder.unknown(s.begin(write('a')), unknown);
        s.do(write('b'), { version: 2 });
        s.do(write('c'), { version: 4 });
      },
    ],
    [
      'with a version beyond all reason',
      ['W8'],
      (s) => s.do(write('a'), { version: Number.MAX_SAFE_INTEGER }),
    ],
  ];

  test.each(cases)('%s: %j', (_name, rules, steps) => {
    expect(rulesBroken(steps)).toEqual(rules);
  });

  test('may have gaps in any other resource', () => {
    const gap: Steps = (s) => {
      s.do(write('a'), { version: 1 });
      s.do(write('b'), { version: 5 });
    };
    expect(rulesBroken(gap, 'delete-after-write')).toEqual([]);
  });
});

describe('W6 and W11, repeats and conditions', () => {
  const repeat = { ...increment, idempotencyKey: 'k' };
  const cases: Case[] = [
    [
      'a repeat is answered with the first outcome',
      [],
      (s) => {
        s.do(write(0), { version: 1, value: 0 });
        s.do(repeat, { version: 2, value: 1 });
        s.do(increment, { version: 3, value: 2 });
        s.do(repeat, { version: 2, value: 1 });
      },
    ],
    [
      'a repeat is applied again',
      ['W6', 'W8'],
      (s) => {
        s.do(write(0), { version: 1, value: 0 });
        s.do(repeat, { version: 2, value: 1 });
        s.do(repeat, { version: 3, value: 1 });
      },
    ],
    [
      'a write on condition comes right after its version',
      [],
      (s) => {
        s.do(write('a'), { version: 1 });
        s.do({ op: 'cas', value: 'b', ifMatch: 1 }, { version: 2 });
        s.recorder.fail(s.begin({ op: 'cas', value: 'c', ifMatch: 1 }), 'VERSION_MISMATCH');
      },
    ],
    [
      'a write on condition comes later',
      ['W11'],
      (s) => {
        s.do(write('a'), { version: 1 });
        s.do(write('b'), { version: 2 });
        s.do({ op: 'cas', value: 'c', ifMatch: 1 }, { version: 3 });
      },
    ],
    [
      'a write on condition of what was not there yet',
      ['W11'],
      (s) => {
        s.do(write('a'), { version: 1 });
        s.do({ op: 'cas', value: 'c', ifMatch: 2 }, { version: 2 });
      },
    ],
  ];

  test.each(cases)('%s: %j', (_name, rules, steps) => {
    expect(rulesBroken(steps)).toEqual(rules);
  });

  test('outside of strict, no other write may be in between', () => {
    const steps =
      (version: number): Steps =>
      (s) => {
        s.do(write('a'), { version: 1 });
        s.do(write('b'), { version: 4 });
        s.do({ op: 'cas', value: 'c', ifMatch: version }, { version: 9 });
      };
    expect(rulesBroken(steps(4), 'delete-after-write')).toEqual([]);
    expect(rulesBroken(steps(6), 'delete-after-write')).toEqual([]);
    expect(rulesBroken(steps(3), 'delete-after-write')).toEqual(['W11']);
    expect(rulesBroken(steps(9), 'delete-after-write')).toEqual(['W11']);
  });
});
