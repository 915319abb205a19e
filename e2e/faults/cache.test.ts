import { beforeEach, describe, expect, test } from 'vitest';
import { untilAllIsWell } from '../support/all-well.ts';
import { cell } from '../support/api-client.ts';
import { eventually, timed } from '@lockstep/testkit/poll';
import { expectProblem } from '../support/problem.ts';
import { useInstance } from '../support/shared-instance.ts';
import { embeddedShop, HASTY_CACHE, newId, SHOP_SQL } from '../support/shop.ts';

const bed = useInstance(() => ({
  config: embeddedShop({ cache: HASTY_CACHE }),
  files: { 'shop.sql': SHOP_SQL.pg },
}));

beforeEach(() => untilAllIsWell(bed));

/** Longest that any call may take while the cache is away. */
const ANSWER_BOUND_MS = 8_000;
const RECOVERY = { withinMs: 90_000, everyMs: 100 };

/** A key of each policy, written and cached. */
async function prepare(): Promise<{ id: number; uncached: number }> {
  const [id, uncached] = [newId(), newId()];
  await bed.api.put('account', id, { owner: 'old', balance: 1 });
  await bed.api.put('profile', id, { name: 'old' });
  await bed.api.get('profile', id);
  expect((await bed.api.get('profile', id)).body.source).toBe('cache');
  await bed.behind.sql("INSERT INTO profiles (id, name) VALUES (?, 'never cached')", [uncached]);
  return { id, uncached };
}

/** What the contract promises while the cache does not answer, all at once, within the bound. */
async function expectServiceWithoutCache({
  id,
  uncached,
}: {
  id: number;
  uncached: number;
}): Promise<void> {
  const { result, tookMs } = await timed(() =>
    Promise.all([
      bed.api.patch('account', id, { owner: 'new' }),
      bed.api.patch('profile', id, { name: 'new' }),
      bed.api.put('order', id, { item: 'tea' }),
      bed.api.get('account', id),
      bed.api.get('profile', uncached),
      bed.anonymous.call('GET', '/readyz'),
      bed.anonymous.call('GET', '/livez'),
    ]),
  );
  const [strict, deleteAfterWrite, none, readStrict, read, ready, live] = result;
  expect(tookMs).toBeLessThan(ANSWER_BOUND_MS);
  expectProblem(strict, 'CACHE_UNAVAILABLE');
  expect(deleteAfterWrite.status).toBe(200);
  expect(deleteAfterWrite.body).toMatchObject({
    outcome: 'applied',
    cache: 'pending',
    value: { name: 'new' },
  });
  expect(none.body).toMatchObject({ outcome: 'applied', cache: 'none' });
  expect(readStrict.body).toMatchObject({ version: 1, value: { owner: 'old' }, source: 'primary' });
  expect(read.body).toMatchObject({ value: { name: 'never cached' }, source: 'primary' });
  expect([ready.status, live.status]).toEqual([200, 200]);
}

/** Everything is as before, without a restart, and the pending invalidation has been done. */
async function expectRecovery({ id }: { id: number }): Promise<void> {
  await eventually(async () => {
    const answer = await bed.api.patch('account', id, { owner: 'after' });
    expect(answer.body).toMatchObject({ version: 2, cache: 'fresh', value: { owner: 'after' } });
  }, RECOVERY);
  await eventually(async () => {
    expect((await bed.api.get('profile', id)).body.value).toMatchObject({ name: 'new' });
    const entry = await bed.behind.entry(`profile:${id}`);
    expect(entry).toMatchObject({ state: 'value', row: { name: 'new' } });
  }, RECOVERY);
  await eventually(async () => {
    expect((await bed.api.get('account', id)).body).toMatchObject({ source: 'cache', version: 2 });
  }, RECOVERY);
  expect((await bed.api.patch('profile', id, { name: 'last' })).body.cache).toBe('invalidated');
}

describe('the cache', () => {
  test('down: strict writes are refused, others are applied, reads go to the database; then everything recovers', async () => {
    const keys = await prepare();
    await bed.instance.killServer('cache');
    await expectServiceWithoutCache(keys);
    await expectRecovery(keys);
  });

  test('hanging: the same, within the timeouts (W12)', async () => {
    const keys = await prepare();
    bed.instance.pauseServer('cache');
    try {
      await expectServiceWithoutCache(keys);
      // Known to hang by now: nobody waits for it again and again.
      const { result, tookMs } = await timed(() => bed.api.get('profile', keys.uncached));
      expect(result.status).toBe(200);
      expect(tookMs).toBeLessThan(ANSWER_BOUND_MS);
    } finally {
      bed.instance.resumeServer('cache');
    }
    await expectRecovery(keys);
  });

  test('going away under load: every answer is correct and no entry stays old (W4, W5)', async () => {
    const ids = Array.from({ length: 5 }, newId);
    for (const id of ids) await bed.api.put('profile', id, { name: 'x', visits: 0 });
    const acknowledged = new Map<number, number>(ids.map((id) => [id, 0]));
    let loading = true;
    const caller = async (id: number): Promise<void> => {
      while (loading) {
        const answer = await bed.api.patch('profile', id, { $inc: { visits: 1 } });
        expect(answer.status).toBe(200);
        acknowledged.set(id, (acknowledged.get(id) ?? 0) + 1);
        await bed.api.get('profile', id);
      }
    };
    const callers = ids.map(caller);
    try {
      const total = (): number => [...acknowledged.values()].reduce((sum, count) => sum + count, 0);
      await eventually(() => expect(total()).toBeGreaterThan(50));
      await bed.instance.killServer('cache');
      const before = total();
      await eventually(() => expect(total()).toBeGreaterThan(before + 50), RECOVERY);
    } finally {
      loading = false;
      await Promise.all(callers);
    }
    await eventually(async () => {
      for (const id of ids) {
        const read = await bed.api.get('profile', id);
        expect(Number(cell(read, 'visits'))).toBe(acknowledged.get(id));
        expect(read.body.source).toBe('cache');
      }
    }, RECOVERY);
  });
});
