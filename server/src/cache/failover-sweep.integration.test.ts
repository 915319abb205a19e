import { Redis } from 'ioredis';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { eventually } from '@lockstep/testkit/poll';
import { startRedis, type TestRedis } from '@lockstep/testkit/servers';
import { systemRuntime } from '../runtime/index.ts';
import { FailoverSweep } from './failover-sweep.ts';
import type { MasterSeen } from './redis-connection.ts';

const quiet = { debug: () => {}, info: () => {}, warn: () => {}, error: () => {} };
const runtime = systemRuntime(quiet);
const KEY = 'lockstep:swept:shop';

/** A coordinator's process, as the server that it sees is said to be. */
class Process {
  sweeps = 0;
  counted = 0;
  /** Awaited by each of its sweeps. */
  duringSweep: () => Promise<void> = () => Promise.resolve();
  readonly sweep: FailoverSweep;
  readonly #connection: { up: boolean; master: MasterSeen | null };

  constructor(client: Redis, instance: string, master: MasterSeen | null) {
    const connection = {
      up: true,
      master,
      run: <T>(send: (to: Redis) => Promise<T>): Promise<T> => send(client),
    };
    this.#connection = connection;
    this.sweep = new FailoverSweep({
      isRedisCluster: false,
      ...{ connection, cluster: 'shop', instance, runtime },
      sweep: async () => {
        this.sweeps += 1;
        await this.duringSweep();
      },
      onSwept: () => {
        this.counted += 1;
      },
    });
    this.sweep.start();
  }

  cameTo(master: MasterSeen): void {
    this.#connection.master = master;
  }
}

describe('after a failover of the cache (X6)', () => {
  let server: TestRedis;
  let client: Redis;
  let processes: Process[] = [];

  beforeAll(async () => {
    server = await startRedis();
    client = new Redis(server.url);
  });
  afterAll(async () => {
    client.disconnect();
    await server.stop();
  });
  beforeEach(() => client.flushall());
  afterEach(async () => {
    await Promise.all(processes.map(({ sweep }) => sweep.stop()));
    processes = [];
  });

  const start = (master: MasterSeen): Process => {
    const started = new Process(client, `process-${processes.length}`, master);
    processes.push(started);
    return started;
  };
  const nowUs = async (): Promise<number> => {
    const [seconds, micros] = await client.time();
    return Number(seconds) * 1_000_000 + Number(micros);
  };
  const first = async (runId: string): Promise<MasterSeen> => ({
    ...{ runId, moves: 0 },
    sinceUs: await nowUs(),
  });
  const moved = async (runId: string, moves = 1): Promise<MasterSeen> => ({
    ...{ runId, moves },
    sinceUs: await nowUs(),
  });
  const swept = (runId: string): Promise<void> =>
    eventually(async () => expect(await client.get(KEY)).toMatch(new RegExp(`^${runId} `)));

  it('a cache that is new to Sentinels is swept, which counts as no failover', async () => {
    const one = start(await first('a'));
    await swept('a');
    expect(one.sweep.isPending).toBe(false);
    expect([one.sweeps, one.counted]).toEqual([1, 0]);
  });

  it('every entry is swept once more, and it is known for as long as that lasts', async () => {
    const one = start(await first('a'));
    await swept('a');
    let isLet = false;
    one.duringSweep = () => eventually(() => expect(isLet).toBe(true));
    one.cameTo(await moved('b'));
    await eventually(() => expect(one.sweep.isPending).toBe(true));
    isLet = true;
    await eventually(() => expect(one.sweep.isPending).toBe(false));
    expect([one.sweeps, one.counted]).toEqual([2, 1]);
    expect(await client.get(KEY)).toMatch(/^b /);
  });

  it('a process that starts later sweeps only what no other has swept', async () => {
    start(await first('a'));
    await swept('a');
    const late = start(await first('a'));
    // The failover came while no process was there.
    const alone = start(await first('b'));
    await swept('b');
    await eventually(() => expect(alone.counted).toBe(1));
    expect([late.sweeps, alone.sweeps]).toEqual([0, 1]);
  });

  it('a process that stayed with the old master for longer is not covered by an earlier sweep', async () => {
    const [one, other] = [start(await first('a')), start(await first('a'))];
    await swept('a');
    one.cameTo(await moved('b'));
    await swept('b');
    const before = other.sweeps;
    other.cameTo(await moved('b'));
    await eventually(() => expect(other.sweeps).toBe(before + 1));
    await eventually(() => expect(other.sweep.isPending).toBe(false));
    expect([one.counted, other.counted]).toEqual([1, 0]);
  });

  it('one process sweeps at a time, and one that begins late enough is enough for the others', async () => {
    const [one, other] = [start(await first('a')), start(await first('a'))];
    await swept('a');
    let running = 0;
    let most = 0;
    for (const each of [one, other]) {
      each.duringSweep = async () => {
        most = Math.max(most, ++running);
        await runtime.timers.sleep(20);
        running -= 1;
      };
    }
    const to = await moved('b');
    one.cameTo(to);
    other.cameTo({ ...to });
    await swept('b');
    await eventually(() => expect(one.sweep.isPending || other.sweep.isPending).toBe(false));
    expect(most).toBe(1);
    await eventually(() => expect(one.counted + other.counted).toBe(1));
  });

  it('a sweep that another failover has overtaken does not count', async () => {
    const one = start(await first('a'));
    await swept('a');
    const [second, third] = [await moved('b'), await moved('c', 2)];
    one.duringSweep = () => {
      one.cameTo(third);
      return Promise.resolve();
    };
    one.cameTo(second);
    await swept('c');
    await eventually(() => expect(one.counted).toBe(1));
  });

  it('a sweep that failed is made again', async () => {
    const one = start(await first('a'));
    await swept('a');
    let failures = 2;
    one.duringSweep = () =>
      failures-- > 0 ? Promise.reject(new Error('away')) : Promise.resolve();
    one.cameTo(await moved('b'));
    await swept('b');
    expect(one.sweeps).toBe(4);
    await eventually(async () => expect(await client.exists(`${KEY}:turn`)).toBe(0));
  });
});
