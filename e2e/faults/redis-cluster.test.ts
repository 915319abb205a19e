/**
 * A Redis Cluster as the cache: its masters die and slots move under load, and nobody restarts a coordinator.
 * `LOCKSTEP_FAILOVERS=20` makes the run longer.
 */
import { Redis } from 'ioredis';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { eventually } from '@lockstep/testkit/poll';
import {
  startRedisCluster,
  type TestRedis,
  type TestRedisCluster,
} from '@lockstep/testkit/servers';
import { untilAllIsWell } from '../support/all-well.ts';
import { useInstance } from '../support/shared-instance.ts';
import { embeddedShop, newId, SHOP_SQL } from '../support/shop.ts';

const FAILOVER = { withinMs: 120_000, everyMs: 100 };
const FAILOVERS = Number(process.env['LOCKSTEP_FAILOVERS'] ?? 2);
/** So many that each master has some. */
const KEYS = 9;
/** How many slots are moved: a twentieth of one master's. `LOCKSTEP_SLOTS=2730` moves half of them. */
const SLOTS = Number(process.env['LOCKSTEP_SLOTS'] ?? 270);

let cluster: TestRedisCluster;
beforeAll(async () => {
  cluster = await startRedisCluster({ replicas: 3 });
});
afterAll(() => cluster.stop());

const bed = useInstance(() => ({
  config: embeddedShop({
    cache: {
      cluster: cluster.members.map(({ url }) => url),
      ...{ commandTimeout: '1s', waitReplicas: 1 },
    },
  }),
  files: { 'shop.sql': SHOP_SQL.pg },
  behind: {
    cacheUrl: `redis+cluster://${cluster.members.map(({ port }) => `127.0.0.1:${port}`).join(',')}`,
  },
}));

async function on<T>({ url }: TestRedis, ask: (client: Redis) => Promise<T>): Promise<T> {
  const client = new Redis(url, { maxRetriesPerRequest: 1 });
  client.on('error', () => undefined);
  try {
    return await ask(client);
  } finally {
    client.disconnect();
  }
}

/** Its role, and for a master how many replicas follow it. */
async function roleOf(member: TestRedis): Promise<{ isMaster: boolean; replicas: number }> {
  const info = await on(member, (client) => client.info('replication'));
  return {
    isMaster: info.includes('role:master'),
    replicas: (info.match(/^slave\d+:.*state=online/gm) ?? []).length,
  };
}

/** Each master has its replica. */
const whole = (): Promise<void> =>
  eventually(async () => {
    const roles = await Promise.all(cluster.members.map(roleOf));
    const masters = roles.filter(({ isMaster }) => isMaster);
    expect(masters.map(({ replicas }) => replicas)).toEqual([1, 1, 1]);
  }, FAILOVER);

const masters = async (): Promise<TestRedis[]> => {
  const roles = await Promise.all(cluster.members.map(roleOf));
  return cluster.members.filter((_, index) => roles[index]?.isMaster === true);
};

/** Kills the master, and starts it again when another one has its place. */
async function failOver(turn: number): Promise<void> {
  const all = await masters();
  const victim = all[turn % all.length];
  if (victim === undefined) throw new Error('There is no master.');
  await victim.kill();
  await eventually(async () => {
    const others = cluster.members.filter((member) => member !== victim);
    const roles = await Promise.all(others.map(roleOf));
    expect(roles.filter(({ isMaster }) => isMaster)).toHaveLength(3);
  }, FAILOVER);
  await victim.restart();
}

/** Writers and readers of strict values, until it is stopped. */
function startLoad(ids: readonly number[]) {
  /** What was acknowledged last. */
  const acknowledged = new Map(ids.map((id) => [id, 0]));
  const stale: string[] = [];
  let isRunning = true;
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
      if (status !== 200) continue;
      const seen = Number(body.value?.['balance']);
      if (seen < least) stale.push(`${id}: ${seen} after ${least}`);
    }
  };
  const callers = ids.flatMap((id) => [writer(id), reader(id)]);
  return {
    acknowledged,
    stale,
    /** Every key is written and read again. */
    goesOn: async (): Promise<void> => {
      const before = new Map(acknowledged);
      await eventually(() => {
        for (const id of ids)
          expect(acknowledged.get(id) ?? 0, `account ${id}`).toBeGreaterThan(before.get(id) ?? 0);
      }, FAILOVER);
    },
    stop: async (): Promise<void> => {
      isRunning = false;
      await Promise.all(callers);
    },
  };
}

async function newAccounts(): Promise<number[]> {
  const ids = Array.from({ length: KEYS }, newId);
  for (const id of ids)
    await eventually(async () => {
      const put = await bed.api.put('account', id, { owner: 'a', balance: 0 });
      expect(put.body.outcome).toBe('applied');
    }, FAILOVER);
  return ids;
}

afterEach(() => untilAllIsWell(bed));

describe('a Redis Cluster, where the replica of each master is waited for', () => {
  test('is told as a risk to nobody', async () => {
    await whole();
    await newAccounts();
    const { text } = await bed.anonymous.call('GET', '/readyz?verbose');
    expect(text).not.toContain('risk:');
    expect(bed.instance.logTail()).not.toMatch(/a failover may lose/);
  });

  test(
    `X8: every strict read is right over ${FAILOVERS} failovers under load, and all is swept after each (X6)`,
    async () => {
      await whole();
      const load = startLoad(await newAccounts());
      try {
        for (let turn = 0; turn < FAILOVERS; turn += 1) {
          await failOver(turn);
          await load.goesOn();
          await whole();
        }
      } finally {
        await load.stop();
      }
      expect(load.stale).toEqual([]);
      await eventually(async () => {
        const { text } = await bed.anonymous.call('GET', '/metrics');
        const swept = Number(/^lockstep_cache_failovers_total (\d+)$/m.exec(text)?.[1]);
        expect(swept).toBeGreaterThanOrEqual(1);
      }, FAILOVER);
    },
    180_000 + FAILOVERS * 40_000,
  );

  test(
    'X9: nothing is lost and no strict read is wrong while slots move under load',
    async () => {
      await whole();
      const ids = await newAccounts();
      const load = startLoad(ids);
      try {
        const primary = (await masters())[0];
        if (primary === undefined) throw new Error('There is no master.');
        await moveSlots(primary);
        await load.goesOn();
      } finally {
        await load.stop();
      }
      expect(load.stale).toEqual([]);
      for (const id of ids) {
        const { body } = await bed.api.get('account', id, '?consistency=primary');
        const balance = Number(body.value?.['balance']);
        expect(balance).toBeGreaterThanOrEqual(load.acknowledged.get(id) ?? 0);
        const cached = await bed.api.get('account', id);
        expect(cached.body.value).toEqual(body.value);
      }
    },
    240_000 + SLOTS * 100,
  );
});

async function moveSlots(from: TestRedis): Promise<void> {
  const all = await masters();
  const to = all.find((member) => member !== from);
  if (to === undefined) throw new Error('There is no other master.');
  await cluster.reshard(from, to, SLOTS);
}
