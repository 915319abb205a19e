/**
 * The connections to one database: knex keeps the pool; statements go straight to the driver, because each one is
 * written by hand and a query builder's work on the way costs as much as the statement itself.
 *
 * States of a connection: idle in the pool -> taken by one task -> idle again, or *in doubt* (a statement got no
 * answer in time, or a transaction could not be ended). A connection in doubt is cut and never used again.
 */
import knex, { type Knex } from 'knex';
import { LockstepError } from '../../domain/index.ts';
import type { Runtime } from '../../runtime/index.ts';
import { BoundedSession, type Budget, type Session } from './bounded-session.ts';
import type { Driver, DriverOptions } from './driver.ts';
import type { RefusalCodes } from './refusals.ts';
import { findPooling, PoolerRefused, refusedPooling, type Pooling } from './pooler.ts';
import { StatementFailure } from './statement-failure.ts';

/** How long what was found of a pooler is taken for true; it may be given another mode while it runs. */
const POOLING_KNOWN_MS = 60_000;
/** How often a connection through a pooler is looked at: is its session still the same? */
const SESSION_LOOK_MS = 1_000;
/** How much longer than the server's own bound a statement is waited for. */
const HUNG_SERVER_SLACK_MS = 500;
const IDLE_CONNECTION_MS = 60_000;

export interface ConnectionsOptions {
  /** Connection URL with its credentials. */
  connection: string;
  pool: { min: number; max: number };
  /** Bound on one statement, by the server's own clock; a server that does not even say so is given up soon after. */
  statementTimeoutMs: number;
  /** Longest wait for a free connection, and for a new one. */
  acquireTimeoutMs: number;
  /** The zone of times without a zone: a name such as `Europe/Berlin`, or an offset such as `+02:00`. Default: UTC. */
  timeZone?: string;
  runtime: Pick<Runtime, 'clock' | 'timers' | 'log'>;
}

export interface Connections {
  /** What the server's codes of refusals mean. */
  readonly refusalCodes: RefusalCodes;
  /** Longest wait for a free connection. */
  readonly acquireTimeoutMs: number;
  /**
   * Runs `task` on a connection. All statements of one budget are together bounded by the statement timeout and a
   * slack; with none, each is by itself.
   * @throws StatementFailure `unreached` where no connection was free in time
   */
  use<T>(task: (session: Session) => Promise<T>, budget?: Budget): Promise<T>;
  /** The same within one transaction; a commit without an answer is a failure that is `lost`. */
  transaction<T>(task: (session: Session) => Promise<T>, budget?: Budget): Promise<T>;
  close(): Promise<void>;
}

/** Connections whose pool knex's migrator uses too. */
export interface OpenConnections extends Connections {
  readonly knex: Knex;
  /** What stands between, as the connections so far have found it. */
  pooling(): Promise<Pooling>;
}

export type { Budget, Session };

/** What this file uses of knex's untyped inner client. */
interface KnexClient<C> {
  acquireConnection(): Promise<C>;
  releaseConnection(connection: C): Promise<void>;
  /** Apart from the pool, and without its preparations. */
  acquireRawConnection(): Promise<C>;
  destroyRawConnection(connection: C): Promise<void>;
}

/** A connection through a pooler. */
interface Pooled {
  /** The session that it had when it was made. */
  session: string;
  lookedAtMs: number;
}

export class PooledConnections<C extends object> implements OpenConnections {
  readonly refusalCodes: RefusalCodes;
  readonly acquireTimeoutMs: number;
  readonly #driver: Driver<C>;
  readonly #knex: Knex;
  readonly #inner: KnexClient<C>;
  readonly #options: ConnectionsOptions;
  readonly #driverOptions: DriverOptions;
  readonly #pooled = new WeakMap<C, Pooled>();
  #pooling: { found: Promise<Pooling>; atMs: number } | null = null;

  constructor(options: ConnectionsOptions, driver: Driver<C>) {
    this.refusalCodes = driver.refusalCodes;
    this.acquireTimeoutMs = options.acquireTimeoutMs;
    this.#options = options;
    this.#driver = driver;
    this.#driverOptions = {
      connection: options.connection,
      statementTimeoutMs: options.statementTimeoutMs,
      connectTimeoutMs: options.acquireTimeoutMs,
      timeZone: options.timeZone ?? 'UTC',
    };
    this.#knex = knex({ ...driver.settings(this.#driverOptions), ...this.#poolSettings() });
    this.#inner = this.#knex.client as KnexClient<C>;
    const end = this.#inner.destroyRawConnection.bind(this.#inner);
    this.#inner.destroyRawConnection = async (connection) => {
      await this.#leave(connection);
      await end(connection);
    };
  }

  #poolSettings(): Knex.Config {
    const { pool, acquireTimeoutMs, runtime } = this.#options;
    return {
      acquireConnectionTimeout: acquireTimeoutMs,
      asyncStackTraces: false,
      pool: {
        min: 0,
        max: pool.max,
        idleTimeoutMillis: IDLE_CONNECTION_MS,
        createTimeoutMillis: acquireTimeoutMs,
        afterCreate: (connection: C, done: (error: Error | null) => void) => {
          this.#prepare(connection).then(
            () => done(null),
            (error: unknown) => {
              this.#driver.destroy(connection);
              done(error instanceof Error ? error : new LockstepError('INTERNAL', String(error)));
            },
          );
        },
      },
      log: {
        debug: () => undefined,
        warn: (fault: unknown) => runtime.log.debug({ err: fault }, 'the database pool warns'),
        error: (fault: unknown) =>
          runtime.log.warn({ err: fault }, 'the database pool has a fault'),
        deprecate: () => undefined,
      },
    };
  }

  async use<T>(task: (session: BoundedSession<C>) => Promise<T>, budget?: Budget): Promise<T> {
    const connection = await this.#acquire();
    const session = this.#open(connection, budget);
    try {
      return await task(session);
    } finally {
      session.close();
      await this.#inner.releaseConnection(connection);
    }
  }

  transaction<T>(task: (session: Session) => Promise<T>, budget?: Budget): Promise<T> {
    return this.use(async (session) => {
      let result: T;
      try {
        await session.begin();
        result = await task(session);
        if (this.#driver.rollsBackFailedCommits && session.failure !== null) throw session.failure;
      } catch (error) {
        await this.#rollBack(session);
        throw session.isCommitting ? error : notApplied(error);
      }
      await session.commit();
      return result;
    }, budget);
  }

  async close(): Promise<void> {
    await this.#knex.destroy();
  }

  get knex(): Knex {
    return this.#knex;
  }

  pooling(): Promise<Pooling> {
    return this.#pooling?.found ?? Promise.resolve('none');
  }

  async #acquire(): Promise<C> {
    try {
      const connection = await this.#inner.acquireConnection();
      const pooled = this.#pooled.get(connection);
      if (pooled !== undefined) await this.#look(connection, pooled);
      return connection;
    } catch (error) {
      throw new StatementFailure({
        kind: 'unreached',
        code: this.#driver.explain(error).code,
        cause: error,
      });
    }
  }

  /** @throws PoolerRefused */
  async #prepare(connection: C): Promise<void> {
    const session = await this.#driver.currentSession(connection);
    const isPooled = session !== this.#driver.announcedSession(connection);
    if (isPooled) {
      const refused = refusedPooling(await this.#findPooling(connection));
      if (refused !== null) throw refused;
      this.#pooled.set(connection, { session, lookedAtMs: this.#options.runtime.clock.nowMs() });
    }
    await this.#driver.prepare(connection, this.#driverOptions, isPooled);
  }

  #findPooling(connection: C): Promise<Pooling> {
    const nowMs = this.#options.runtime.clock.nowMs();
    if (this.#pooling === null || nowMs - this.#pooling.atMs > POOLING_KNOWN_MS) {
      const found = this.#probePooler(connection);
      this.#pooling = { found, atMs: nowMs };
      found.catch(() => {
        this.#pooling = null;
      });
    }
    return this.#pooling.found;
  }

  /** In time: a pooler whose sessions are all in use lets a second connection wait. */
  async #probePooler(connection: C): Promise<Pooling> {
    const used = [connection];
    const timer = this.#options.runtime.timers.after(this.acquireTimeoutMs, () => {
      for (const one of used) this.#driver.destroy(one);
    });
    try {
      return await findPooling(this.#driver, connection, async () => {
        const second = await this.#inner.acquireRawConnection();
        used.push(second);
        return second;
      });
    } finally {
      timer.cancel();
    }
  }

  /** A pooler that shares its sessions after all, or from now on. @throws PoolerRefused */
  async #look(connection: C, pooled: Pooled): Promise<void> {
    const nowMs = this.#options.runtime.clock.nowMs();
    if (nowMs - pooled.lookedAtMs < SESSION_LOOK_MS) return;
    pooled.lookedAtMs = nowMs;
    const session = this.#open(connection, undefined);
    try {
      const now = await this.#driver.currentSession(connection);
      if (now === pooled.session) return;
      this.#pooling = { found: Promise.resolve('transaction'), atMs: nowMs };
      throw refusedPooling('transaction') ?? new PoolerRefused('shares sessions');
    } catch (error) {
      session.cut();
      await this.#inner.releaseConnection(connection);
      throw error;
    }
  }

  /** Leaves nothing on a session that others will use. */
  async #leave(connection: C): Promise<void> {
    if (!this.#pooled.has(connection) || '__knex__disposed' in connection) return;
    this.#pooled.delete(connection);
    await this.#driver.reset(connection).catch((error: unknown) => {
      this.#options.runtime.log.debug({ err: error }, 'A session could not be reset');
    });
  }

  #open(connection: C, budget: Budget | undefined): BoundedSession<C> {
    const { statementTimeoutMs, runtime } = this.#options;
    return new BoundedSession(
      connection,
      this.#driver,
      runtime,
      statementTimeoutMs + HUNG_SERVER_SLACK_MS,
      budget,
    );
  }

  /** Where the rollback gets no answer the connection is cut, and the server rolls back by itself. */
  async #rollBack(session: BoundedSession<C>): Promise<void> {
    try {
      await session.rollBack();
    } catch (error) {
      session.cut();
      this.#options.runtime.log.debug(
        { err: error },
        'A rollback got no answer; its connection was cut',
      );
    }
  }
}

/** Before the commit is sent nothing of a transaction can happen, even where a statement of it got no answer. */
function notApplied(error: unknown): unknown {
  if (!(error instanceof StatementFailure) || error.kind !== 'lost') return error;
  return new StatementFailure({ kind: 'rolled-back', code: error.code, cause: error });
}
