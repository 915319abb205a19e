/**
 * Strict over failovers of the cache, where every replica has an intent before the write goes on (`cache.waitReplicas`).
 * `LOCKSTEP_FAILOVERS=20` makes the run longer.
 */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { eventually } from '@lockstep/testkit/poll';
import { startSentinelSet, type TestSentinelSet } from '@lockstep/testkit/servers';
import { onRedis } from '../support/on-redis.ts';
import { expectProblem } from '../support/problem.ts';
import { useInstance } from '../support/shared-instance.ts';
import { embeddedShop, newId, SHOP_SQL } from '../support/shop.ts';

const FAILOVER = { withinMs: 120_000, everyMs: 100 };
const FAILOVERS = Number(process.env['LOCKSTEP_FAILOVERS'] ?? 2);
const REPLICAS = 2;
const WRITERS = 3;

let set: TestSentinelSet;
beforeAll(async () => {
  set = await startSentinelSet();
});
afterAll(() => set.stop());

const bed = useInstance(() => ({
  config: embeddedShop({
    cache: {
      sentinels: set.sentinels.map(({ url }) => url),
      ...{ name: set.name, password: set.password, waitReplicas: REPLICAS },
    },
  }),
  files: { 'shop.sql': SHOP_SQL.pg },
  behind: { cacheUrl: set.servers[0]?.url ?? '' },
}));

const balanceOf = async (id: number): Promise<number> =>
  Number((await bed.api.get('account', id)).body.value?.['balance']);

/** All replicas follow the master, and have what it has. */
const whole = (): Promise<void> =>
  eventually(async () => {
    const info = await onRedis((await set.master()).url, (client) => client.info('replication'));
    expect(info.match(/^slave\d+:.*state=online/gm)).toHaveLength(REPLICAS);
  }, FAILOVER);

const putAgain = (id: number): Promise<void> =>
  eventually(async () => {
    const put = await bed.api.put('account', id, { owner: 'a', balance: 0 });
    expect(put.body.outcome).toBe('applied');
  }, FAILOVER);

/** Kills the master. When another server has its place, starts it again, as a supervisor of processes does. */
async function failOver(): Promise<void> {
  const before = await set.master();
  await before.kill();
  await eventually(async () => expect((await set.master()).port).not.toBe(before.port), FAILOVER);
  await before.restart();
}

describe('a strict write, where all replicas are waited for', () => {
  test('is told as a risk to nobody', async () => {
    await whole();
    await putAgain(newId());
    const { text } = await bed.anonymous.call('GET', '/readyz?verbose');
    expect(text).not.toContain('risk:');
    expect(bed.instance.logTail()).not.toMatch(/a failover may lose/);
  });

  test('X8: is refused while a replica lacks its intent, so that no failover brings an older value back', async () => {
    const id = newId();
    await whole();
    await putAgain(id);
    await bed.api.get('account', id);
    const master = await set.master();
    const replicas = set.servers.filter(({ port }) => port !== master.port);
    for (const replica of replicas)
      await onRedis(replica.url, (client) => client.replicaof('127.0.0.1', 1));
    const patched = await bed.api.patch('account', id, { balance: 7 });
    expectProblem(patched, 'CACHE_UNAVAILABLE');
    expect(patched.body.outcome).toBe('not_applied');
    await failOver();
    await eventually(async () => expect(await balanceOf(id)).toBe(0), FAILOVER);
    await whole();
    await putAgain(id);
  });

  test(
    `X8: is seen by every later read, over ${FAILOVERS} failovers under load`,
    async () => {
      const ids = Array.from({ length: WRITERS }, newId);
      await whole();
      for (const id of ids) await putAgain(id);
      /** What was acknowledged last, and what may have been written since. */
      const acknowledged = new Map(ids.map((id) => [id, 0]));
      let isRunning = true;
      let reads = 0;
      const stale: string[] = [];
      const writer = async (id: number): Promise<void> => {
        for (let next = 1; isRunning; next += 1) {
          const { body } = await bed.api.patch('account', id, { balance: next });
          if (body.outcome === 'applied') acknowledged.set(id, next);
        }
      };
      const reader = async (id: number): Promise<void> => {
        while (isRunning) {
          const least = acknowledged.get(id) ?? 0;
          const { status, body } = await bed.api.get('account', id);
          const seen = Number(body.value?.['balance']);
          if (status === 200 && seen < least) stale.push(`${id}: ${seen} after ${least}`);
          if (status === 200) reads += 1;
        }
      };
      const callers = ids.flatMap((id) => [writer(id), reader(id)]);
      try {
        for (let count = 0; count < FAILOVERS; count += 1) {
          const before = [...acknowledged.values()].reduce((sum, each) => sum + each, 0);
          const readsBefore = reads;
          await failOver();
          await eventually(() => {
            const now = [...acknowledged.values()].reduce((sum, each) => sum + each, 0);
            expect(now).toBeGreaterThan(before + 20);
            expect(reads).toBeGreaterThan(readsBefore + 20);
          }, FAILOVER);
          await whole();
        }
      } finally {
        isRunning = false;
        await Promise.all(callers);
      }
      expect(stale).toEqual([]);
    },
    180_000 + FAILOVERS * 30_000,
  );
});
