import { Redis } from 'ioredis';
import { findFreePort } from '../../server/src/embedded/free-port.ts';
import { eventually } from '../poll.ts';
import { startRedis, type TestRedis } from './redis.ts';

const SLOTS = 16_384;
const PRIMARIES = 3;

/** A Redis Cluster on this machine: three primaries with a third of the slots each, and replicas of the first ones. */
export interface TestRedisCluster {
  readonly primaries: readonly TestRedis[];
  /** Of the first one. */
  readonly replica: TestRedis;
  /** All members. */
  readonly members: readonly TestRedis[];
  /**
   * Moves so many slots of one primary to another, with their keys, one after the other.
   * @param from, to members that are primaries now
   */
  reshard(from: TestRedis, to: TestRedis, slots: number): Promise<void>;
  stop(): Promise<void>;
}

/** @param replicas how many primaries have one, from the first on; 1 to 3 */
export async function startRedisCluster({ replicas = 1 } = {}): Promise<TestRedisCluster> {
  const servers: TestRedis[] = [];
  const stop = async (): Promise<void> => {
    await Promise.all(servers.map((server) => server.stop()));
  };
  try {
    for (let n = 0; n < PRIMARIES + replicas; n++) servers.push(await startMember());
    await join(servers);
  } catch (error) {
    await stop();
    throw error;
  }
  const [one, two, three, replica] = servers as [TestRedis, TestRedis, TestRedis, TestRedis];
  const primaries = [one, two, three];
  const reshard = async (from: TestRedis, to: TestRedis, slots: number): Promise<void> => {
    const clients = [from, to].map(({ url }) => new Redis(url)) as [Redis, Redis];
    try {
      await move(...clients, slots, to.port);
    } finally {
      for (const client of clients) client.disconnect();
    }
  };
  return { primaries, replica, members: servers, reshard, stop };
}

/** The port by which members talk to each other would be beyond all ports by default. */
async function startMember(): Promise<TestRedis> {
  const args = [
    ...['--cluster-enabled', 'yes', '--cluster-node-timeout', '2000'],
    ...['--repl-diskless-sync-delay', '0'],
  ];
  const bus = ['--cluster-port', String(await findFreePort())];
  return startRedis({ args: [...args, ...bus] });
}

async function join(servers: readonly TestRedis[]): Promise<void> {
  const clients = servers.map(({ url }) => new Redis(url));
  try {
    const buses = await Promise.all(clients.map(busPort));
    const [first, ...others] = clients;
    for (const [index, client] of clients.slice(0, PRIMARIES).entries()) {
      const from = Math.floor((SLOTS * index) / PRIMARIES);
      const to = Math.floor((SLOTS * (index + 1)) / PRIMARIES) - 1;
      await client.call('CLUSTER', 'ADDSLOTSRANGE', from, to);
    }
    for (const client of others)
      await client.call('CLUSTER', 'MEET', '127.0.0.1', servers[0]?.port ?? 0, buses[0] ?? 0);
    for (const [index, replica] of clients.slice(PRIMARIES).entries()) {
      const id = String(await clients[index]?.call('CLUSTER', 'MYID'));
      // It must have heard of its primary.
      await eventually(() => replica.call('CLUSTER', 'REPLICATE', id));
    }
    await eventually(async () => {
      for (const client of clients) {
        const info = String(await client.call('CLUSTER', 'INFO'));
        const known = Number(/cluster_known_nodes:(\d+)/.exec(info)?.[1]);
        if (!/cluster_state:ok/.test(info) || known !== clients.length)
          throw new Error(`A member does not know the whole cluster\n${info}`);
      }
      const nodes = String(await first?.call('CLUSTER', 'NODES'));
      if (nodes.split('slave').length <= clients.length - PRIMARIES)
        throw new Error('The replicas are not known yet');
    });
  } finally {
    for (const client of clients) client.disconnect();
  }
}

const MIGRATED_AT_ONCE = 20;
const MIGRATE_TIMEOUT_MS = 5_000;

/** As `redis-cli --cluster reshard` does it. */
async function move(source: Redis, target: Redis, slots: number, port: number): Promise<void> {
  const [sourceId, targetId] = await Promise.all(
    [source, target].map(async (client) => String(await client.call('CLUSTER', 'MYID'))),
  );
  const ranges = (await source.call('CLUSTER', 'SLOTS')) as [number, number, unknown[]][];
  const owned = ranges.flatMap(([first, last, master]) =>
    String(master[2]) === sourceId
      ? Array.from({ length: last - first + 1 }, (_, index) => first + index)
      : [],
  );
  for (const slot of owned.slice(0, slots)) {
    await target.call('CLUSTER', 'SETSLOT', slot, 'IMPORTING', sourceId ?? '');
    await source.call('CLUSTER', 'SETSLOT', slot, 'MIGRATING', targetId ?? '');
    for (;;) {
      const keys = (await source.call(
        'CLUSTER',
        'GETKEYSINSLOT',
        slot,
        MIGRATED_AT_ONCE,
      )) as string[];
      if (keys.length === 0) break;
      await source.call('MIGRATE', '127.0.0.1', port, '', 0, MIGRATE_TIMEOUT_MS, 'KEYS', ...keys);
    }
    // The new owner first, so that no member says that nobody has the slot. The others hear of it from these two.
    for (const client of [target, source])
      await client.call('CLUSTER', 'SETSLOT', slot, 'NODE', targetId ?? '');
  }
}

async function busPort(client: Redis): Promise<number> {
  const answer = await client.config('GET', 'cluster-port');
  return Number(answer[1]);
}
