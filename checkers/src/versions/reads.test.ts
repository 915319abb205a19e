import { describe, expect, test } from 'vitest';
import { rulesBroken } from '../testing/broken-rules.ts';
import { type Steps } from '../testing/session.ts';
import { cacheRead, read, remove, write } from '../testing/steps.ts';

const unknown = 'OUTCOME_UNKNOWN';

describe('R2, R4, R6 and W9, the least that a read may answer', () => {
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

  test('an answer from the caller’s memory may be behind, and only of a resource that is not strict', () => {
    const fromMemory = { ...old, source: 'local' } as const;
    const ask = twice('invalidated', (s) => s.do(read, fromMemory));
    expect(rulesBroken(ask, 'delete-after-write')).toEqual([]);
    expect(rulesBroken(ask, 'strict')).toEqual(['R6']);
  });

  test('the answer of an earlier write still counts', () => {
    const none = { version: 0, value: null };
    expect(
      rulesBroken(
        twice('pending', (s) => s.do(cacheRead, none)),
        'none',
      ),
    ).toEqual(['W9']);
  });

  test('the primary answers at least what is known, in any resource', () => {
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

  test('a missing row without a version is explained by a removal that may be the newest', () => {
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
