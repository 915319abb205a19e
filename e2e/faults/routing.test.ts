import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { type Answer, ApiClient } from '../support/api-client.ts';
import { eventually } from '@lockstep/testkit/poll';
import { expectProblem } from '../support/problem.ts';
import { Cluster } from './cluster/cluster.ts';
import { RoutedIncrements } from './load/routed-increments.ts';
import { SeededRandom } from '@lockstep/testkit/seeded-random';

const RECOVERY = { withinMs: 90_000, everyMs: 20 };
const ALL = [0, 1, 2];
/** More than the members' expiry. */
const PAUSE_MS = 2_500;
/** Whatever stops. */
const OF_A_SLOW_MACHINE = ['CACHE_UNAVAILABLE', 'LOCK_TIMEOUT', 'LOCKS_UNAVAILABLE'];

interface Home {
  instance: string;
  url: string;
}

describe.each(['serve', 'forward'])('three coordinators in mode %s', (mode) => {
  let cluster: Cluster;
  let apis: ApiClient[];
  let nextId = 1;

  beforeAll(async () => {
    cluster = await Cluster.start({
      ...{ random: new SeededRandom(1), control: null, clocks: false },
      routing: { mode, heartbeat: '250ms', expiry: '1500ms' },
    });
    apis = cluster.coordinators.map(({ url }) => new ApiClient(url, null));
  });
  afterAll(async () => {
    await Promise.all((apis ?? []).map((api) => api.close()));
    await cluster?.stop();
  });
  beforeEach(async () => {
    await cluster.heal();
    await untilMembersAre(3);
  });

  const api = (index: number): ApiClient => {
    const found = apis[index];
    if (found === undefined) throw new RangeError(`There is no coordinator ${index + 1}`);
    return found;
  };

  async function json<T>(index: number, path: string): Promise<T> {
    const answer = await api(index).call('GET', path);
    expect(answer.status, answer.text).toBe(200);
    return JSON.parse(answer.text) as T;
  }

  function untilMembersAre(count: number, seenBy: readonly number[] = ALL): Promise<void> {
    return eventually(async () => {
      for (const index of seenBy) {
        const { members } = await json<{ members: unknown[] }>(index, '/v1/routing');
        expect(members).toHaveLength(count);
      }
    }, RECOVERY);
  }

  const homeOf = async (id: number, by = 0): Promise<Home> =>
    (await json<{ home: Home }>(by, `/v1/routing/account/${id}`)).home;

  async function newRow(): Promise<number> {
    const id = nextId++;
    expect((await api(0).put('account', id, { n: 0, writer: 'first' })).status).toBe(201);
    return id;
  }

  async function indexOfHome(id: number): Promise<number> {
    const { url } = await homeOf(id);
    return cluster.coordinators.findIndex((coordinator) => coordinator.url === url);
  }

  /** A row whose home is the coordinator of this index. */
  async function rowAtHomeIn(index: number): Promise<number> {
    for (;;) {
      const id = await newRow();
      if ((await indexOfHome(id)) === index) return id;
    }
  }

  const increments = (id: number): RoutedIncrements => new RoutedIncrements(cluster, apis, id);

  test('all name the same home for a key (H1)', async () => {
    const homes = new Set<string>();
    for (let id = 1_000; id < 1_030; id += 1) {
      const [one, two, three] = await Promise.all(ALL.map((index) => homeOf(id, index)));
      expect([two, three]).toEqual([one, one]);
      homes.add(one?.url ?? '');
    }
    expect(homes.size).toBe(3);
  });

  test('give the same answer wherever a call arrives, and say which of them answered (H3)', async () => {
    const id = await newRow();
    const home = await homeOf(id);
    for (const index of ALL) {
      const answers: Answer[] = [
        await api(index).patch('account', id, { $inc: { n: 1 } }),
        await api(index).get('account', id),
      ];
      const own = await json<{ instance: string }>(index, '/v1/routing');
      const server = mode === 'forward' ? home.instance : own.instance;
      for (const { status, headers, body } of answers) {
        expect(status).toBe(200);
        expect(body).toMatchObject({ version: index + 2, value: { n: index + 1 } });
        expect(headers['lockstep-instance']).toBe(server);
        const other = server === home.instance ? undefined : home.url;
        expect(headers['lockstep-home']).toBe(other);
      }
      const refused = await api(index).patch('account', id, { n: -1 });
      expectProblem(refused, 'CONSTRAINT');
    }
  });

  test('lose no increment and leave no gap when all of them write one key (H8)', async () => {
    const load = increments(await newRow());
    await load.acknowledgedTimes(60);
    await load.stop();
    await load.expectTruth();
    expect(load.unknown).toBe(0);
  });

  test('keep every promise while the home is killed under load, and comes back (H8)', async () => {
    const id = await newRow();
    const index = await indexOfHome(id);
    const load = increments(id);
    await load.acknowledgedTimes(20);
    await cluster.coordinator(index).kill();
    await load.acknowledgedTimes(20);
    await cluster.coordinator(index).start();
    await untilMembersAre(3);
    await load.acknowledgedTimes(20);
    await load.stop();
    await load.expectTruth();
  });

  test('keep every promise while the home is paused, others take its place, and it goes on (H8)', async () => {
    const id = await newRow();
    const index = await indexOfHome(id);
    const load = increments(id);
    await load.acknowledgedTimes(20);
    cluster.coordinator(index).pause();
    try {
      await sleep(PAUSE_MS);
      await load.acknowledgedTimes(20);
    } finally {
      cluster.coordinator(index).resume();
    }
    await untilMembersAre(3);
    await load.acknowledgedTimes(20);
    await load.stop();
    await load.expectTruth();
  });

  // Shares are alike in both modes, and only forwarded calls could be lost with their home.
  test.runIf(mode === 'forward')(
    'an orderly stop costs no call of its keys (H6); back again it takes only its share (H2)',
    async () => {
      const ids = Array.from({ length: 90 }, (_, index) => 2_000 + index);
      const id = await rowAtHomeIn(2);
      const load = new RoutedIncrements(cluster, apis.slice(0, 2), id);
      await load.acknowledgedTimes(10);
      await cluster.coordinator(2).stop();
      await load.acknowledgedTimes(10);
      await load.stop();
      await load.expectTruth();
      expect(load.codes.filter((code) => !OF_A_SLOW_MACHINE.includes(code))).toEqual([]);
      await untilMembersAre(2, [0, 1]);
      const before = await Promise.all(ids.map((other) => homeOf(other)));
      await cluster.coordinator(2).start();
      await untilMembersAre(3);
      const after = await Promise.all(ids.map((other) => homeOf(other)));
      const moved = after.filter(({ url }, index) => url !== before[index]?.url);
      expect(moved.length).toBeGreaterThan(10);
      expect(moved.length).toBeLessThan(60);
      expect(new Set(moved.map(({ url }) => url))).toEqual(new Set([cluster.coordinator(2).url]));
    },
  );

  test('a lease is used, extended and released through all of them, and ends with its own coordinator (H7)', async () => {
    const id = await rowAtHomeIn(1);
    const grant = async (): Promise<string> => {
      const granted = await api(0).post('/v1/leases', { resource: 'account', key: id, ttl: '20s' });
      expect(granted.status, granted.text).toBe(201);
      return String((JSON.parse(granted.text) as { id: string }).id);
    };
    const lease = await grant();
    const under = { 'lockstep-lease': lease };
    for (const index of ALL) {
      const written = await api(index).patch('account', id, { $inc: { n: 1 } }, under);
      expect(written.body).toMatchObject({ version: index + 2 });
      const extended = await api(index).call('PATCH', `/v1/leases/${lease}`, {
        body: { ttl: '20s' },
      });
      expect(extended.status, extended.text).toBe(200);
    }
    expect((await api(2).call('DELETE', `/v1/leases/${lease}`)).status).toBe(200);
    expectProblem(await api(1).patch('account', id, { n: 9 }, under), 'UNKNOWN_LEASE');
    const lost = { 'lockstep-lease': await grant() };
    const [holder = ''] = lost['lockstep-lease'].split('~');
    const { members } = await json<{ members: Home[] }>(0, '/v1/routing');
    const url = members.find(({ instance }) => instance === holder)?.url;
    const index = cluster.coordinators.findIndex((coordinator) => coordinator.url === url);
    await cluster.coordinator(index).kill();
    const others = ALL.filter((other) => other !== index);
    await untilMembersAre(2, others);
    for (const other of others)
      expectProblem(await api(other).patch('account', id, { n: 9 }, lost), 'UNKNOWN_LEASE');
  });
});
