import { describe, expect, it } from 'vitest';
import type { Policy } from '@lockstep/shared';
import { CacheKeyTemplate, LockstepError, type Resource, SharedRows } from '../domain/index.ts';
import { resource } from '@lockstep/testkit/doubles/resource';
import { judgeDelivery, MAX_ATTEMPTS, planDelivery } from './delivery.ts';
import type { OutboxRow } from './port.ts';

const account = resource({
  policy: 'delete-after-write',
  invalidates: [new CacheKeyTemplate('owner:{owner}:accounts')],
});
const known = { resources: new Map([['account', account]]) };

const row = (fields: Partial<OutboxRow>): OutboxRow => ({
  id: '1',
  resource: 'account',
  keyText: '7',
  version: 1,
  bareCacheKey: null,
  related: { before: null, after: null },
  attempts: 0,
  ageMs: 5_000,
  ...fields,
});
const POLICIES: Record<string, Policy> = { refreshed: 'refresh', never: 'none', strict: 'strict' };
const half = (): number => 0.5;
const away = new LockstepError('CACHE_UNAVAILABLE', 'away');

describe('planning a delivery', () => {
  it('coalesces the rows of one key into one tombstone of the highest version', () => {
    const plan = planDelivery(
      [row({ id: '1', version: 4 }), row({ id: '2', version: 6 }), row({ id: '3', version: 5 })],
      known,
    );
    expect(plan.invalidations).toEqual([{ cacheKey: 'account:7', version: 6 }]);
    expect(plan.rows.map((planned) => planned.row.id)).toEqual(['1', '2', '3']);
  });

  it('lets an invalidation without a version win over every version of its key', () => {
    const rows = [row({ version: 4 }), row({ version: null }), row({ version: 9 })];
    expect(planDelivery(rows, known).invalidations).toEqual([
      { cacheKey: 'account:7', version: null },
    ]);
  });

  it('invalidates what hangs on the row before and after the change, each once and without a version', () => {
    const related = { before: { owner: 'ann' }, after: { owner: 'bob' } };
    const again = { before: { owner: 'bob' }, after: { owner: null } };
    const plan = planDelivery([row({ related }), row({ keyText: '8', related: again })], known);
    expect(plan.invalidations).toEqual([
      { cacheKey: 'account:7', version: 1 },
      { cacheKey: 'owner:ann:accounts', version: null },
      { cacheKey: 'owner:bob:accounts', version: null },
      { cacheKey: 'account:8', version: 1 },
    ]);
  });

  it('K2: invalidates the entries of every resource that shares the row, under whatever name it came', () => {
    const others = ['account', 'refreshed', 'never', 'strict'].map((name) =>
      resource({
        name,
        policy: POLICIES[name] ?? 'delete-after-write',
        cacheKey: new CacheKeyTemplate(`${name}:{id}`),
      }),
    );
    for (const each of others)
      each.shared = new SharedRows(
        'gone',
        [0],
        others.filter((other) => other !== each),
      );
    const sharing = new Map(others.map((each) => [each.name, each]));
    const keysOf = (fields: Partial<OutboxRow>): string[] =>
      planDelivery([row(fields)], { resources: sharing }).invalidations.map(
        ({ cacheKey }) => cacheKey,
      );
    expect(keysOf({ resource: 'gone' }).sort()).toEqual(['account:7', 'strict:7']);
    expect(keysOf({ resource: 'strict' }).sort()).toEqual(['account:7', 'strict:7']);
  });

  it('invalidates a bare cache key', () => {
    const rows = [row({ resource: '', keyText: '', version: null, bareCacheKey: 'page:home' })];
    expect(planDelivery(rows, known).invalidations).toEqual([
      { cacheKey: 'page:home', version: null },
    ]);
  });

  const NOT_KNOWN = [
    row({ id: '1', resource: 'gone' }),
    row({ id: '2', keyText: 'seven' }),
    row({ id: '3', resource: 'switched' }),
  ];
  const behind = {
    resources: new Map([...known.resources, ['switched', resource({ name: 'switched' })]]),
    isCurrent: ({ name }: Resource) => name !== 'switched',
  };
  const REASONS = [
    'the resource "gone" is not configured any more',
    expect.stringContaining('whole number') as string,
    'the cluster has switched "switched", and this coordinator has not followed',
  ];

  it('leaves rows that its configuration does not explain to coordinators that may know them (W26)', () => {
    const plan = planDelivery(NOT_KNOWN, behind);
    expect(plan).toMatchObject({ rows: [], invalidations: [] });
    expect(judgeDelivery(plan, new Map(), half)).toEqual(
      REASONS.map((error, at) => ({ id: `${at + 1}`, decision: 'left', delayMs: 2_000, error })),
    );
  });

  it('gives rows up that nobody knew for five minutes, but none of a resource that it has not followed', () => {
    const rows = NOT_KNOWN.map((each) => ({ ...each, ageMs: 300_001 }));
    const decided = judgeDelivery(planDelivery(rows, behind), new Map(), half);
    expect(decided.map(({ decision }) => decision)).toEqual(['dead', 'dead', 'left']);
  });
});

describe('judging a delivery', () => {
  it('is done only when every cache key of the row was invalidated (W5)', () => {
    const related = { before: null, after: { owner: 'ann' } };
    const plan = planDelivery([row({ related })], known);
    const own = ['account:7', 'fresh'] as const;
    const [half_] = judgeDelivery(plan, new Map([own]), half);
    expect(half_).toMatchObject({ decision: 'retry', counted: false });
    const [whole] = judgeDelivery(
      plan,
      new Map([own, ['owner:ann:accounts', 'invalidated']]),
      half,
    );
    expect(whole).toEqual({ id: '1', decision: 'done' });
  });

  it('never counts an attempt, nor gives up, while the cache is away (X3)', () => {
    const plan = planDelivery([row({ attempts: MAX_ATTEMPTS + 5 })], known);
    const [decision] = judgeDelivery(plan, new Map([['account:7', away]]), half);
    expect(decision).toMatchObject({ decision: 'retry', counted: false });
  });

  it("counts a key's own error and gives up at the bound, with the error", () => {
    const results = new Map([['account:7', new Error('WRONGTYPE')]]);
    const judge = (attempts: number) =>
      judgeDelivery(planDelivery([row({ attempts })], known), results, half)[0];
    expect(judge(0)).toMatchObject({ decision: 'retry', counted: true, error: 'WRONGTYPE' });
    expect(judge(MAX_ATTEMPTS - 2)).toMatchObject({ decision: 'retry' });
    expect(judge(MAX_ATTEMPTS - 1)).toMatchObject({
      decision: 'dead',
      error: expect.stringContaining('WRONGTYPE') as string,
    });
  });

  it('spreads retries over the whole of a growing, bounded delay', () => {
    const results = new Map([['account:7', new Error('WRONGTYPE')]]);
    const delayMs = (attempts: number, random: number): number => {
      const plan = planDelivery([row({ attempts })], known);
      const [decided] = judgeDelivery(plan, results, () => random);
      if (decided?.decision !== 'retry') throw new Error('it is not tried again');
      return decided.delayMs;
    };
    expect(delayMs(0, 0.999)).toBeLessThanOrEqual(1_000);
    expect(delayMs(3, 0.001)).toBeLessThanOrEqual(8);
    expect(delayMs(3, 0.999)).toBeGreaterThan(7_900);
    expect(delayMs(MAX_ATTEMPTS - 2, 0.999)).toBeLessThanOrEqual(240_000);
    const attempts = Array.from({ length: MAX_ATTEMPTS - 1 }, (_, index) => index);
    const meanMs = attempts.reduce((sum, attempt) => sum + delayMs(attempt, 0.5), 0);
    expect(meanMs).toBeGreaterThan(5 * 60_000);
    expect(meanMs).toBeLessThan(15 * 60_000);
  });
});
