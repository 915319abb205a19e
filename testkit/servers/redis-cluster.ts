import { Redis } from 'ioredis';
import { findFreePort } from '../../server/src/embedded/free-port.ts';
import { eventually } from '../poll.ts';
import { startRedis, type TestRedis } from './redis.ts';

const SLOTS = 16_384;

/** A Redis Cluster on this machine: three primaries with a third of the slots each, and a replica of the first. */
export interface TestRedisCluster {
  readonly primaries: readonly TestRedis[];
  readonly replica: TestRedis;
  stop(): Promise<void>;
}

export async function startRedisCluster(): Promise<TestRedisCluster> {
  const servers: TestRedis[] = [];
  const stop = async (): Promise<void> => {
    await Promise.all(servers.map((server) => server.stop()));
  };
  try {
    for (let n = 0; n < 4; n++) servers.push(await startMember());
    await join(servers);
  } catch (error) {
    await stop();
    throw error;
  }
  const [one, two, three, replica] = servers as [TestRedis, TestRedis, TestRedis, TestRedis];
  return { primaries: [one, two, three], replica, stop };
}

/** The port by which members talk to each other would be beyond all ports by default. */
async function startMember(): Promise<TestRedis> {
  const args = ['--cluster-enabled', 'yes', '--cluster-node-timeout', '2000'];
  const bus = ['--cluster-port', String(await findFreePort())];
  return startRedis({ args: [...args, ...bus] });
}

async function join(servers: readonly TestRedis[]): Promise<void> {
  const clients = servers.map(({ url }) => new Redis(url));
  try {
    const buses = await Promise.all(clients.map(busPort));
    const [first, ...others] = clients;
    for (const [index, client] of clients.slice(0, 3).entries()) {
      const from = Math.floor((SLOTS * index) / 3);
      const to = Math.floor((SLOTS * (index + 1)) / 3) - 1;
      await client.call('CLUSTER', 'ADDSLOTSRANGE', from, to);
    }
    for (const client of others)
      await client.call('CLUSTER', 'MEET', '127.0.0.1', servers[0]?.port ?? 0, buses[0] ?? 0);
    const id = String(await first?.call('CLUSTER', 'MYID'));
    const replica = clients.at(-1);
    // It must have heard of the first one.
    await eventually(() => replica?.call('CLUSTER', 'REPLICATE', id));
    await eventually(async () => {
      for (const client of clients) {
        const info = String(await client.call('CLUSTER', 'INFO'));
        const isWhole = /cluster_state:ok/.test(info) && /cluster_known_nodes:4/.test(info);
        if (!isWhole) throw new Error(`A member does not know the whole cluster\n${info}`);
      }
      const nodes = String(await first?.call('CLUSTER', 'NODES'));
      if (!nodes.includes('slave')) throw new Error('The replica is not known yet');
    });
  } finally {
    for (const client of clients) client.disconnect();
  }
}

async function busPort(client: Redis): Promise<number> {
  const answer = await client.config('GET', 'cluster-port');
  return Number(answer[1]);
}
