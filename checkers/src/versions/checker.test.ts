import type { JsonValue, Policy } from '@lockstep/shared';
import { describe, expect, test } from 'vitest';
import { recorded, type Steps } from '../testing/session.ts';
import { checkVersions } from './checker.ts';

const write = (value: JsonValue) => ({ op: 'write', value }) as const;
const read = { op: 'read' } as const;
const cacheRead = { op: 'cache-read' } as const;
const increment = { op: 'increment', by: 1 } as const;
const remove = { op: 'delete' } as const;
const unknown = 'OUTCOME_UNKNOWN';

type Case = [name: string, rules: string[], steps: Steps];

const rulesBroken = (steps: Steps, policy: Policy = 'strict'): string[] => [
  ...new Set(checkVersions(recorded(steps, policy)).map(({ rule }) => rule)),
];

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

  test('outside of strict, only no other write may be between', () => {
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

describe('R2, R4, R6 and W9, what a read may not be below', () => {
  const twice =
    (cache: 'fresh' | 'invalidated' | 'pending', ask: Steps): Steps =>
    (s) => {
      s.do(write('a'), { version: 1, value: 'a', cache: 'invalidated' });
      s.do(write('b'), { version: 2, value: 'b', cache });
      ask(s);
    };
  const old = { version: 1, value: 'a' };

  test.each([
    ['strict', 'pending', ['R6']],
    ['delete-after-write', 'pending', []],
    ['delete-after-write', 'invalidated', ['W9']],
    ['delayed-double-delete', 'fresh', ['W9']],
  ] as const)('%s, an old value cached after a write said %s: %j', (policy, cache, rules) => {
    expect(
      rulesBroken(
        twice(cache, (s) => s.do(cacheRead, old)),
        policy,
      ),
    ).toEqual(rules);
    const byCoordinator = { ...old, source: 'cache' } as const;
    expect(
      rulesBroken(
        twice(cache, (s) => s.do(read, byCoordinator)),
        policy,
      ),
    ).toEqual(rules);
  });

  test('what an earlier write said still counts', () => {
    const none = { version: 0, value: null };
    expect(
      rulesBroken(
        twice('pending', (s) => s.do(cacheRead, none)),
        'none',
      ),
    ).toEqual(['W9']);
  });

  test('the primary answers no less than what is known, in any resource', () => {
    const fromPrimary = { ...old, source: 'primary' } as const;
    const ask = { op: 'read', primary: true } as const;
    expect(
      rulesBroken(
        twice('pending', (s) => s.do(read, fromPrimary)),
        'none',
      ),
    ).toEqual(['R2']);
    expect(
      rulesBroken(
        twice('pending', (s) => s.do(ask, old)),
        'none',
      ),
    ).toEqual(['R2']);
  });

  test('a strict read is not below an earlier read', () => {
    const steps: Steps = (s) => {
      s.do(write('a'), { version: 1 });
      const open = s.begin(write('b'));
      s.do(read, { version: 2, value: 'b' });
      s.do(cacheRead, { version: 1, value: 'a' });
      s.recorder.ok(open, { version: 2 });
    };
    expect(rulesBroken(steps)).toEqual(['R6']);
  });

  test('two reads at one time may differ', () => {
    const steps: Steps = (s) => {
      s.do(write('a'), { version: 1 });
      const open = s.begin(write('b'));
      const slow = s.begin(read);
      s.do(read, { version: 2, value: 'b' });
      s.recorder.ok(slow, { version: 1, value: 'a' });
      s.recorder.ok(open, { version: 2 });
    };
    expect(rulesBroken(steps)).toEqual([]);
  });

  test('no row, without a version, is explained by a removal that may be the newest', () => {
    const absent = { value: null };
    const after =
      (ask: Steps): Steps =>
      (s) => {
        s.do(remove, { version: 1 });
        s.do(write('a'), { version: 2 });
        ask(s);
      };
    expect(rulesBroken((s) => s.do(read, absent))).toEqual([]);
    expect(rulesBroken(after((s) => s.do(read, absent)))).toEqual(['R6']);
    const removed: Steps = (s) => {
      s.do(remove, { version: 3 });
      s.do(read, absent);
    };
    expect(rulesBroken(after(removed))).toEqual([]);
    const perhaps: Steps = (s) => {
      s.recorder.unknown(s.begin(remove), unknown);
      s.do(read, absent);
    };
    expect(rulesBroken(after(perhaps))).toEqual([]);
    const tooLate: Steps = (s) => {
      s.do(read, absent);
      s.recorder.unknown(s.begin(remove), unknown);
    };
    expect(rulesBroken(after(tooLate))).toEqual(['R6']);
  });

  test('minVersion is kept, whatever was known', () => {
    const steps: Steps = (s) => s.do({ op: 'read', minVersion: 1 }, { version: 0, value: null });
    expect(rulesBroken(steps, 'refresh')).toEqual(['R4']);
  });
});

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

  test('is not held against increments outside of strict, where versions have gaps', () => {
    const steps: Steps = (s) => {
      s.do(write(1), { version: 1, value: 1 });
      s.do(increment, { version: 2, value: 3 });
    };
    expect(rulesBroken(steps, 'delete-after-write')).toEqual([]);
  });
});

test('a rule tells no more than a few violations of a key', () => {
  const steps: Steps = (s) => {
    s.do(write('a'), { version: 1 });
    for (let index = 0; index < 100; index++) s.do(read, { version: 1, value: 'b' });
  };
  expect(checkVersions(recorded(steps))).toHaveLength(5);
});

test('a violation names the operations that show it', () => {
  const steps: Steps = (s) => {
    s.do(write('a'), { version: 1 });
    s.do(write('b'), { version: 2 });
    s.do(read, { version: 1, value: 'a' });
  };
  const [violation, ...others] = checkVersions(recorded(steps));
  expect(others).toEqual([]);
  expect(violation).toMatchObject({
    rule: 'R6',
    key: 'account:1',
    message: 'a read answered version 1 though 2 was there before it was sent',
    operations: [{ id: 2 }, { id: 3 }],
  });
});
