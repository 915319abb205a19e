import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { Runtime, Timer } from '../runtime/index.ts';
import { EmbeddedError } from './embedded-error.ts';
import { prepareDatabase } from './first-start.ts';
import { findFreePort, isPortFree } from './free-port.ts';
import { findRedisServer } from './installed-program.ts';
import { keepAlive } from './keep-alive.ts';
import { endLeftovers } from './leftovers.ts';
import {
  initialisePostgres,
  POSTGRES_USER,
  postgresOwnership,
  postgresServer,
} from './postgres-server.ts';
import { bootId } from './processes.ts';
import {
  cacheServer,
  emptyCache,
  lockServer,
  redisOwnership,
  setCacheAside,
} from './redis-server.ts';
import { readServerState, writeServerState, type ServerState } from './server-state.ts';
import { SupervisedServer, type ServerSpec } from './supervised-server.ts';

export interface EmbeddedOptions {
  /** Real path of the data folder, which this process has claimed (`claimDataDir`). */
  dataDir: string;
  /** Absent: no embedded PostgreSQL. */
  database?: {
    /** SQL text that runs once, on the first start, in one transaction. */
    initSql?: string | undefined;
    /** Default `lockstep`. */
    name?: string | undefined;
  };
  cache: boolean;
  /** How many lock nodes: 0 for none, else an odd number. */
  lockNodes: number;
  /** The longest time for which a lock node may have granted a lock. */
  lockTtlMs: number;
  runtime: Runtime;
  /** Aborting ends a start that has not finished. It then stops everything and rejects. */
  signal?: AbortSignal;
  /** Called whenever a server was started again and `processes()` has changed. */
  onProcessesChanged?: () => void;
}

/** One running server as `runtime.json` lists it. */
export interface EmbeddedProcess {
  name: string;
  pid: number;
  port: number;
}

export interface EmbeddedServers {
  /** A superuser's URL; undefined without an embedded database. */
  readonly databaseUrl: string | undefined;
  readonly cacheUrl: string | undefined;
  readonly lockUrls: readonly string[];
  /** Whether this was the first start of the embedded database. */
  readonly firstStart: boolean;
  processes(): EmbeddedProcess[];
  /** Ends all servers cleanly, within about six seconds, and marks the stop as clean. Idempotent. */
  stop(): Promise<void>;
}

type SpecOf = (port: number) => ServerSpec;

const PORT_ATTEMPTS = 3;
const LOG_CHECK_MS = 60_000;
const LEFTOVER_GRACE_MS = 2_500;

/**
 * Starts the embedded servers that the options ask for, in parallel, and keeps them alive. First cleans up after a
 * killed coordinator or server (live orphans, stale pid files, incomplete folders).
 * @throws EmbeddedError if a server does not come up; the others are then stopped.
 */
export function startEmbedded(options: EmbeddedOptions): Promise<EmbeddedServers> {
  return keepAlive(start(options));
}

async function start(options: EmbeddedOptions): Promise<EmbeddedServers> {
  await mkdir(join(options.dataDir, 'logs'), { recursive: true, mode: 0o700 });
  const { state, known } = await readServerState(options.dataDir);
  const fleet = new Fleet(options, state);
  const giveUp = (): void => void fleet.stop().catch(() => undefined); // awaited, and reported, below
  options.signal?.addEventListener('abort', giveUp, { once: true });
  try {
    await fleet.start(known);
    options.signal?.throwIfAborted();
    return fleet;
  } catch (error) {
    await fleet.stop();
    throw error;
  } finally {
    options.signal?.removeEventListener('abort', giveUp);
  }
}

class Fleet implements EmbeddedServers {
  readonly lockUrls: string[] = [];
  databaseUrl: string | undefined;
  cacheUrl: string | undefined;
  firstStart = false;
  readonly #options: EmbeddedOptions;
  readonly #state: ServerState;
  readonly #servers = new Map<string, SupervisedServer>();
  #logCheck: Timer | undefined;
  #stopped: Promise<void> | undefined;
  #isUp = false;

  constructor(options: EmbeddedOptions, state: ServerState) {
    this.#options = options;
    this.#state = state;
  }

  processes(): EmbeddedProcess[] {
    return [...this.#servers.values()]
      .map(({ spec, pid }) => ({ name: spec.name, pid, port: spec.port }))
      .sort((a, b) => (a.name < b.name ? -1 : 1));
  }

  async start(knownState: boolean): Promise<void> {
    const { database, cache, lockNodes } = this.#options;
    await this.#endLeftovers();
    await this.#openState();
    const lockNames = Array.from({ length: lockNodes }, (_, index) => `lock-${index + 1}`);
    // Waits for all, even if one fails, because a server that is still starting cannot be stopped cleanly.
    const results = await Promise.allSettled([
      database ? this.#startDatabase(database, knownState) : undefined,
      cache ? this.#startCache() : undefined,
      ...lockNames.map((name) => this.#startLockNode(name)),
    ]);
    for (const result of results) if (result.status === 'rejected') throw result.reason;
    for (const name of lockNames)
      this.lockUrls.push(this.#redisUrl(name, this.#state.passwords.locks));
    await writeServerState(this.#options.dataDir, this.#state); // now with the new ports
    this.#isUp = true;
    this.#checkLogs();
  }

  stop(): Promise<void> {
    this.#stopped ??= keepAlive(this.#stop());
    return this.#stopped;
  }

  async #stop(): Promise<void> {
    this.#logCheck?.cancel();
    await Promise.all([...this.#servers.values()].map((server) => server.stop()));
    this.#state.running = false;
    await writeServerState(this.#options.dataDir, this.#state);
  }

  /** Also ends servers that this configuration no longer asks for. */
  async #endLeftovers(): Promise<void> {
    const { dataDir, runtime } = this.#options;
    const [postgres, redis] = await Promise.all([
      endLeftovers(postgresOwnership(dataDir), 'SIGINT', LEFTOVER_GRACE_MS, runtime),
      endLeftovers(redisOwnership(`${dataDir}/`), 'SIGTERM', LEFTOVER_GRACE_MS, runtime),
    ]);
    if (postgres.length + redis.length > 0) {
      runtime.log.warn({ postgres, redis }, 'ended servers that an earlier run left');
    }
  }

  /** Marks the servers as running. First empties the cache if the machine has crashed while it ran. */
  async #openState(): Promise<void> {
    const { dataDir, runtime } = this.#options;
    const currentBoot = bootId();
    const isSuspect = this.#state.running && this.#state.bootId !== currentBoot;
    if (isSuspect && (await emptyCache(dataDir))) {
      runtime.log.warn({}, 'the machine crashed while the cache ran; the cache starts empty');
    }
    this.#state.bootId = currentBoot;
    this.#state.running = true;
    await writeServerState(dataDir, this.#state);
  }

  async #startDatabase(
    database: NonNullable<EmbeddedOptions['database']>,
    knownPassword: boolean,
  ): Promise<void> {
    const { dataDir, runtime } = this.#options;
    const password = this.#state.passwords.database;
    await initialisePostgres({ dataDir, password }, { knownPassword }, runtime);
    const port = await this.#start('postgres', (at) =>
      postgresServer({ dataDir, port: at, password }),
    );
    const name = encodeURIComponent(database.name ?? 'lockstep');
    this.databaseUrl = `postgres://${POSTGRES_USER}:${password}@127.0.0.1:${port}/${name}`;
    const { firstStart } = await prepareDatabase(this.databaseUrl, database.initSql);
    this.firstStart = firstStart;
  }

  async #startCache(): Promise<void> {
    const { dataDir, runtime } = this.#options;
    const password = this.#state.passwords.cache;
    const command = findRedisServer();
    const name = 'cache';
    const specOf: SpecOf = (port) => cacheServer({ name, dataDir, port, password, command });
    try {
      await this.#start(name, specOf);
    } catch (error) {
      if (!isUnreadableAppendOnlyFile(error)) throw error;
      const aside = await setCacheAside(dataDir);
      runtime.log.error(
        { aside, err: error },
        'the cache could not read its data; it starts empty',
      );
      await this.#start(name, specOf);
    }
    this.cacheUrl = this.#redisUrl(name, password);
  }

  async #startLockNode(name: string): Promise<void> {
    const { dataDir, lockTtlMs } = this.#options;
    const password = this.#state.passwords.locks;
    const command = findRedisServer();
    await this.#start(name, (port) =>
      lockServer({ name, dataDir, port, password, command }, lockTtlMs),
    );
  }

  /** Starts one server on the port that it had, or on another one if that is taken. */
  async #start(name: string, specOf: SpecOf): Promise<number> {
    const { dataDir, runtime } = this.#options;
    await mkdir(join(dataDir, name), { recursive: true, mode: 0o700 });
    for (let attempt = 1; ; attempt++) {
      const port = await this.#choosePort(name);
      if (this.#stopped) throw new EmbeddedError(`${name} was stopped while it started`);
      const server = new SupervisedServer(specOf(port), runtime, () => this.#changed());
      this.#servers.set(name, server);
      const beganMs = runtime.clock.nowMs();
      try {
        await server.start();
        const tookMs = Math.round(runtime.clock.nowMs() - beganMs);
        runtime.log.info({ name, port, pid: server.pid, tookMs }, 'embedded server is up');
        return port;
      } catch (error) {
        this.#servers.delete(name);
        // Another program may have taken the port since it was checked.
        if (attempt === PORT_ATTEMPTS || (await isPortFree(port))) throw error;
      }
    }
  }

  async #choosePort(name: string): Promise<number> {
    const last = this.#state.ports[name];
    const port = last !== undefined && (await isPortFree(last)) ? last : await findFreePort();
    this.#state.ports[name] = port;
    return port;
  }

  #redisUrl(name: string, password: string): string {
    return `redis://:${password}@127.0.0.1:${this.#state.ports[name] ?? 0}`;
  }

  #changed(): void {
    if (this.#isUp && this.#stopped === undefined) this.#options.onProcessesChanged?.();
  }

  #checkLogs(): void {
    for (const server of this.#servers.values()) server.trimLog();
    this.#logCheck = this.#options.runtime.timers.after(LOG_CHECK_MS, () => this.#checkLogs());
  }
}

function isUnreadableAppendOnlyFile(error: unknown): boolean {
  return (
    error instanceof EmbeddedError && /append[- ]only|\bAOF\b|appendonlydir/i.test(error.message)
  );
}
