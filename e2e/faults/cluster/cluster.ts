/**
 * A whole deployment of real processes for one run: three coordinators, three lock nodes, one cache, one PostgreSQL,
 * and a link of its own between each coordinator and each server.
 *
 * States: starting -> running -> stopped. Servers and coordinators go up and down in between, as faults will have it;
 * `heal` brings everything back. Invariant: nothing outlives `stop`, nor this process.
 */
import { mkdtempSync, realpathSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import pg from 'pg';
import { findFreePort } from '../../../server/src/embedded/free-port.ts';
import { startPostgres, startRedis, type TestServer } from '@lockstep/testkit/servers';
import { FolderWatchdog } from '@lockstep/testkit/processes/process-folder';
import { repositoryPath } from '@lockstep/testkit/repository';
import { openSideDoor, type SideDoor } from '../../support/side-door.ts';
import { FaultLink } from '@lockstep/testkit/proxy/link';
import type { SeededRandom } from '@lockstep/testkit/seeded-random';
import { CoordinatorProcess } from './coordinator.ts';
import { CLIENT_RESOURCES, FAULT_RESOURCES, FAULT_TABLES_SQL } from './tables.ts';
import { findFakeTime, WallClock } from './wall-clock.ts';

const COORDINATORS = 3;
const LOCK_NODES = 3;
/** Short, so that a pause of a second and a half outlives it. */
export const LOCK_TTL_MS = 1_200;

export type ServerName = 'database' | 'cache' | 'lock 1' | 'lock 2' | 'lock 3';

export interface ClusterOptions {
  /** Of the links' jitter. */
  random: SeededRandom;
  /** One protection to break; null: the shipped program runs. */
  control: string | null;
  /** Give each coordinator a wall clock that can jump, where libfaketime is installed. */
  clocks: boolean;
  /** Groups of the configuration besides those of the servers. */
  groups?: object;
  /** Of the group `routing`, besides the peers. */
  routing?: object;
}

export class Cluster {
  readonly servers: ReadonlyMap<ServerName, TestServer>;
  readonly coordinators: readonly CoordinatorProcess[];
  /** By coordinator, then by server. */
  readonly links: readonly ReadonlyMap<ServerName, FaultLink>[];
  /** Behind everybody's back, past every link. */
  readonly behind: SideDoor;
  /** Index of the coordinator behind a connection, by the port by which the server knows it. */
  readonly callersByPort: ReadonlyMap<number, number>;
  readonly #folder: string;
  readonly #watchdog: FolderWatchdog;

  private constructor(parts: {
    servers: ReadonlyMap<ServerName, TestServer>;
    links: readonly ReadonlyMap<ServerName, FaultLink>[];
    coordinators: readonly CoordinatorProcess[];
    callersByPort: ReadonlyMap<number, number>;
    folder: string;
    watchdog: FolderWatchdog;
  }) {
    this.servers = parts.servers;
    this.links = parts.links;
    this.coordinators = parts.coordinators;
    this.callersByPort = parts.callersByPort;
    this.#folder = parts.folder;
    this.#watchdog = parts.watchdog;
    this.behind = openSideDoor({
      url: '',
      pid: 0,
      databaseUrl: this.server('database').url,
      cacheUrl: this.server('cache').url,
      lockUrls: lockNames().map((name) => this.server(name).url),
      adminToken: '',
      serviceToken: '',
      processes: [],
    });
  }

  /** Starts everything; nothing is left behind where that fails. */
  static async start(options: ClusterOptions): Promise<Cluster> {
    const servers = await startServers();
    const folder = realpathSync(mkdtempSync(join(tmpdir(), 'lockstep-faults-')));
    const watchdog = new FolderWatchdog(folder);
    let cluster: Cluster | null = null;
    try {
      await createTables(at(servers, 'database').url);
      const callersByPort = new Map<number, number>();
      const links = await Promise.all(
        Array.from({ length: COORDINATORS }, (_, index) =>
          openLinks(servers, options.random, (port) => callersByPort.set(port, index)),
        ),
      );
      const ports = await Promise.all(links.map(() => findFreePort()));
      const coordinators = links.map((own, index) =>
        composeCoordinator(servers, own, { index, ports, folder, options }),
      );
      cluster = new Cluster({ servers, links, coordinators, callersByPort, folder, watchdog });
      // The first one makes Lockstep's tables.
      for (const coordinator of coordinators) await coordinator.start();
      return cluster;
    } catch (error) {
      if (cluster !== null) await cluster.stop();
      else await Promise.all([...servers.values()].map((server) => server.stop()));
      throw error;
    }
  }

  server(name: ServerName): TestServer {
    return at(this.servers, name);
  }

  link(coordinator: number, server: ServerName): FaultLink {
    const links = this.links[coordinator];
    if (links === undefined) throw new RangeError(`There is no coordinator ${coordinator + 1}`);
    return at(links, server);
  }

  coordinator(index: number): CoordinatorProcess {
    const coordinator = this.coordinators[index];
    if (coordinator === undefined) throw new RangeError(`There is no coordinator ${index + 1}`);
    return coordinator;
  }

  /** Fair weather: links and clocks are good, what was paused goes on, what is down comes up and is ready. */
  async heal(): Promise<void> {
    for (const link of this.links.flatMap((links) => [...links.values()])) link.heal();
    for (const server of this.servers.values()) server.resume();
    await Promise.all([...this.servers.values()].map((server) => revive(server)));
    for (const coordinator of this.coordinators) {
      coordinator.clock?.set(0);
      coordinator.resume();
    }
    await Promise.all(this.coordinators.map((coordinator) => coordinator.start()));
  }

  async stop(): Promise<void> {
    await this.behind.close().catch(() => undefined); // its servers may be gone
    await Promise.all(this.coordinators.map((coordinator) => coordinator.stop()));
    await Promise.all(
      this.links.flatMap((links) => [...links.values()].map((link) => link.close())),
    );
    await Promise.all([...this.servers.values()].map((server) => server.stop()));
    rmSync(this.#folder, { recursive: true, force: true, maxRetries: 10, retryDelay: 50 });
    this.#watchdog.end();
  }
}

async function revive(server: TestServer): Promise<void> {
  if (!server.isRunning) await server.restart();
}

function at<K extends string, V>(map: ReadonlyMap<K, V>, name: K): V {
  const found = map.get(name);
  if (found === undefined) throw new RangeError(`There is no ${name}`);
  return found;
}

const lockNames = (): ServerName[] => ['lock 1', 'lock 2', 'lock 3'];

async function startServers(): Promise<Map<ServerName, TestServer>> {
  const starts: [ServerName, Promise<TestServer>][] = [
    ['database', startPostgres()],
    ['cache', startRedis({ args: ['--maxmemory-policy', 'noeviction'] })],
    ...lockNames()
      .slice(0, LOCK_NODES)
      .map((name): [ServerName, Promise<TestServer>] => [name, startRedis()]),
  ];
  const settled = await Promise.allSettled(starts.map(([, start]) => start));
  const servers = new Map<ServerName, TestServer>();
  for (const [index, result] of settled.entries()) {
    const name = starts[index]?.[0];
    if (name !== undefined && result.status === 'fulfilled') servers.set(name, result.value);
  }
  const failed = settled.find((result) => result.status === 'rejected');
  if (failed === undefined) return servers;
  await Promise.all([...servers.values()].map((server) => server.stop()));
  throw failed.reason;
}

async function createTables(url: string): Promise<void> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    await client.query(FAULT_TABLES_SQL);
  } finally {
    await client.end();
  }
}

async function openLinks(
  servers: ReadonlyMap<ServerName, TestServer>,
  random: SeededRandom,
  onConnect: (port: number) => void,
): Promise<Map<ServerName, FaultLink>> {
  const links = new Map<ServerName, FaultLink>();
  for (const [name, { port }] of servers) {
    const jitter = random.fork();
    const options = { targetPort: port, random: () => jitter.next(), onConnect };
    links.set(name, await FaultLink.open(options));
  }
  return links;
}

interface Place {
  index: number;
  /** Where the coordinators listen, each by its index. */
  ports: readonly number[];
  folder: string;
  options: ClusterOptions;
}

function composeCoordinator(
  servers: ReadonlyMap<ServerName, TestServer>,
  links: ReadonlyMap<ServerName, FaultLink>,
  { index, ports, folder, options }: Place,
): CoordinatorProcess {
  const own = join(folder, `coordinator-${index + 1}`);
  const library = options.clocks ? findFakeTime() : null;
  const port = ports[index];
  if (port === undefined) throw new RangeError(`There is no port for coordinator ${index + 1}`);
  const { control, groups, routing } = options;
  const peers = ports.map((other) => `http://127.0.0.1:${other}`);
  return new CoordinatorProcess({
    name: `coordinator ${index + 1}`,
    program: repositoryPath(
      control === null ? 'server/dist/main.js' : 'server/dist-controls/main.js',
    ),
    folder: own,
    port,
    config: { ...configOf(servers, links), routing: { peers, ...routing }, ...groups },
    env: control === null ? {} : { LOCKSTEP_CONTROL: control },
    clock: library === null ? null : new WallClock(library, join(folder, `clock-${index + 1}`)),
  });
}

function configOf(
  servers: ReadonlyMap<ServerName, TestServer>,
  links: ReadonlyMap<ServerName, FaultLink>,
): object {
  const through = (name: ServerName): string => {
    const url = new URL(at(servers, name).url);
    url.port = String(at(links, name).port);
    return url.href;
  };
  return {
    auth: { mode: 'off' },
    log: { level: 'warn' },
    listen: { drainDelay: '200ms' },
    database: {
      client: 'pg',
      connection: through('database'),
      pool: { min: 0, max: 10 },
      acquireTimeout: '1s',
    },
    cache: { url: through('cache'), commandTimeout: '250ms' },
    locks: { nodes: lockNames().map(through), ttl: `${LOCK_TTL_MS}ms`, waitTimeout: '600ms' },
    resources: {
      ...CLIENT_RESOURCES,
      ...Object.fromEntries(
        Object.entries(FAULT_RESOURCES).map(([name, resource]) => [
          name,
          { ...resource, key: ['id'], cacheKey: `${name}:{id}`, ttl: '10m', negativeTtl: '10m' },
        ]),
      ),
    },
  };
}
