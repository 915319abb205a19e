import { Redis } from 'ioredis';
import { setTimeout as sleep } from 'node:timers/promises';
import { systemRuntime } from '../../runtime/index.ts';
import { startRedis, type TestRedis } from '@lockstep/testkit/servers';
import { LockGroups, QueueingLockService } from '../index.ts';
import type { LockOptions } from '../lock-options.ts';
import { recordingTelemetry } from '@lockstep/testkit/doubles/keys';

const silent = { debug: ignore, info: ignore, warn: ignore, error: ignore };
function ignore(): void {}

/** Real Redis servers as lock nodes, three by default, and the connections to them. */
export class RealLockNodes {
  readonly #servers: TestRedis[];
  readonly #groupSize: number;
  readonly #runtime = systemRuntime(silent);
  #locks: QueueingLockService[] = [];
  #connections: LockGroups[] = [];

  private constructor(servers: TestRedis[], groupSize: number) {
    this.#servers = servers;
    this.#groupSize = groupSize;
  }

  static async start({ groups = 1, groupSize = 3 } = {}): Promise<RealLockNodes> {
    const servers = Array.from({ length: groups * groupSize }, () =>
      startRedis({ password: 'secret' }),
    );
    return new RealLockNodes(await Promise.all(servers), groupSize);
  }

  /** @param index from 0 */
  node(index: number): TestRedis {
    const server = this.#servers[index];
    if (server === undefined) throw new Error('no such node');
    return server;
  }

  /** Connects, and waits until all answer. */
  async connect(): Promise<LockGroups> {
    const urls = this.#servers.map(({ url }) => url);
    const nodes = new LockGroups({ urls, groupSize: this.#groupSize, runtime: this.#runtime });
    this.#connections.push(nodes);
    await eventually(() => nodes.status().every(({ status }) => status === 'up'));
    return nodes;
  }

  /** A lock service with connections of its own, like that of one coordinator. */
  async coordinator(options: Partial<LockOptions> = {}) {
    const nodes = await this.connect();
    const telemetry = recordingTelemetry();
    const locks = new QueueingLockService({ nodes, runtime: this.#runtime, telemetry, options });
    this.#locks.push(locks);
    return { locks, nodes, telemetry };
  }

  /** What each node holds under a key, read (or removed) directly. */
  async values(lockKey: string, command: 'get' | 'getdel' = 'get'): Promise<(string | null)[]> {
    return Promise.all(
      this.#servers.map(async ({ url }) => {
        const client = new Redis(url);
        try {
          return await client[command](lockKey);
        } finally {
          client.disconnect();
        }
      }),
    );
  }

  /** Closes all connections and gets all servers going again. */
  async reset(): Promise<void> {
    for (const server of this.#servers) server.resume();
    await Promise.all(this.#locks.map((locks) => locks.close(0)));
    for (const nodes of this.#connections) nodes.close();
    this.#locks = [];
    this.#connections = [];
    await Promise.all(this.#servers.filter((server) => !isRunning(server)).map((s) => s.restart()));
  }

  async stop(): Promise<void> {
    await Promise.all(this.#servers.map((server) => server.stop()));
  }
}

function isRunning({ pid }: TestRedis): boolean {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
}

/** Polls until it is true. @throws Error after `limitMs` */
export async function eventually(
  isTrue: () => boolean | Promise<boolean>,
  limitMs = 60_000,
): Promise<void> {
  for (const endMs = performance.now() + limitMs; !(await isTrue()); await sleep(5)) {
    if (performance.now() > endMs) throw new Error(`did not happen within ${limitMs} ms`);
  }
}

/**
 * The shortest time of several tries. Code that waits for something is slow in every try; other work on this machine
 * slows down only some of them.
 */
export async function leastMs(run: () => Promise<void>, tries = 5): Promise<number> {
  let leastMs = Infinity;
  for (let count = 0; count < tries; count++) {
    leastMs = Math.min(leastMs, (await timed(run)).tookMs);
  }
  return leastMs;
}

export async function timed<T>(run: () => Promise<T>): Promise<{ value: T; tookMs: number }> {
  const startedAtMs = performance.now();
  return { value: await run(), tookMs: performance.now() - startedAtMs };
}
