import { describe, expect, test } from 'vitest';
import { describeViolation } from './describe.ts';
import { judge } from './judge.ts';
import { randomHistory, type Flaw } from './testing/random-run.ts';
import { checkValues } from './values/checker.ts';
import { checkVersions } from './versions/checker.ts';

const SEEDS = Array.from({ length: 12 }, (_, index) => index + 1);

describe('a service without a flaw', () => {
  test.each(['strict', 'delete-after-write'] as const)('under %s is accepted', (policy) => {
    for (const seed of SEEDS) {
      const judgement = judge(randomHistory({ seed, operations: 400, policy }));
      expect(judgement.violations.map(describeViolation)).toEqual([]);
      expect(judgement.verdict).toBe('holds');
    }
  });
});

describe('a service that is sometimes wrong', () => {
  const cases: [Flaw, 'strict' | 'delete-after-write', string[], boolean][] = [
    ['stale read', 'strict', ['R6'], true],
    ['stale read', 'delete-after-write', ['R2'], true],
    ['lost update', 'strict', ['R7'], true],
    ['counted twice', 'strict', ['R7'], true],
    ['refused yet applied', 'strict', ['W4'], true],
    ['acknowledged yet lost', 'strict', ['W8'], true],
    ['skipped version', 'strict', ['W8'], false],
    ['repeat applied again', 'strict', ['W6'], true],
    ['condition ignored', 'strict', ['W11'], true],
    ['dishonest cache', 'delete-after-write', ['W9'], false],
  ];

  test.each(cases)('%s, %s: breaks %s', (flaw, policy, rules, isSeenInValues) => {
    let seen = 0;
    const told = new Set<string>();
    for (const seed of SEEDS) {
      const history = randomHistory({ seed, operations: 400, policy, flaw, unknown: 0.05 });
      for (const { rule } of checkVersions(history)) told.add(rule);
      if (checkValues(history).verdict === 'violated') seen += 1;
    }
    expect([...told]).toEqual(expect.arrayContaining(rules));
    if (isSeenInValues) expect(seen).toBeGreaterThan(0);
    else expect(seen).toBe(0);
  });
});
