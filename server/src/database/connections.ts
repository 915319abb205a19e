/**
 * The connections to one database: knex keeps the pool; statements go straight to the driver, because each one is
 * written by hand and a query builder's work on the way costs as much as the statement itself.
 *
 * States of a connection: idle in the pool -> taken by one task -> idle again, or *in doubt* (a statement got no
 * answer in time, or a transaction could not be ended). A connection in doubt is cut and never used again.
 */
import knex, { type Knex } from 'knex';
import { LockstepError } from '../domain/index.ts';
import type { Runtime } from '../runtime/index.ts';
import { BoundedSession, type Budget, type Session } from './bounded-session.ts';
import type { Driver, DriverOptions } from './driver.ts';
import { mysqlDriver } from './mysql-driver.ts';
import { pgDriver } from './pg-driver.ts';
import type { DatabaseClient } from './sql.ts';
import { StatementFailure } from './statement-failure.ts';

/** How much longer than the server's own bound a statement is waited for. */
const HUNG_SERVER_SLACK_MS = 500;
const IDLE_CONNECTION_MS = 60_000;

export interface ConnectionsOptions {
  client: DatabaseClient;
  connection: string;
  pool: { min: number; max: number };
  statementTimeoutMs: number;
  acquireTimeoutMs: number;
  runtime: Pick<Runtime, 'clock' | 'timers' | 'log'>;
}

export interface Connections {
  readonly client: DatabaseClient;
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

export function openConnections(options: ConnectionsOptions): Connections {
  return options.client === 'pg'
    ? new PooledConnections(options, pgDriver)
    : new PooledConnections(options, mysqlDriver);
}

/** Connections of which knex's migrator uses one too. */
export interface MigrationConnections {
  connections: Connections;
  knex: Knex;
}

export function openForMigrations(options: ConnectionsOptions): MigrationConnections {
  const connections =
    options.client === 'pg'
      ? new PooledConnections(options, pgDriver)
      : new PooledConnections(options, mysqlDriver);
  return { connections, knex: connections.knex };
}

export type { Budget, Session };

/** What this file uses of knex's untyped inner client. */
interface KnexClient<C> {
  acquireConnection(): Promise<C>;
  releaseConnection(connection: C): Promise<void>;
}

class PooledConnections<C extends object> implements Connections {
  readonly client: DatabaseClient;
  readonly acquireTimeoutMs: number;
  readonly #driver: Driver<C>;
  readonly #knex: Knex;
  readonly #inner: KnexClient<C>;
  readonly #options: ConnectionsOptions;

  constructor(options: ConnectionsOptions, driver: Driver<C>) {
    this.client = options.client;
    this.acquireTimeoutMs = options.acquireTimeoutMs;
    this.#options = options;
    this.#driver = driver;
    this.#knex = knex(poolSettings(options, driver));
    this.#inner = this.#knex.client as KnexClient<C>;
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
        await session.run({ text: 'start transaction', values: [] });
        result = await task(session);
        // PostgreSQL would take the commit of a failed transaction for its rollback, without an error.
        if (this.client === 'pg' && session.failure !== null) throw session.failure;
      } catch (error) {
        await this.#rollBack(session);
        throw notApplied(error);
      }
      await session.run({ text: 'commit', values: [] });
      return result;
    }, budget);
  }

  async close(): Promise<void> {
    await this.#knex.destroy();
  }

  get knex(): Knex {
    return this.#knex;
  }

  async #acquire(): Promise<C> {
    try {
      return await this.#inner.acquireConnection();
    } catch (error) {
      throw new StatementFailure({
        kind: 'unreached',
        code: this.#driver.explain(error).code,
        cause: error,
      });
    }
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
      await session.run({ text: 'rollback', values: [] });
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

function poolSettings<C extends object>(
  options: ConnectionsOptions,
  driver: Driver<C>,
): Knex.Config {
  const { log } = options.runtime;
  const driverOptions: DriverOptions = {
    connection: options.connection,
    statementTimeoutMs: options.statementTimeoutMs,
    connectTimeoutMs: options.acquireTimeoutMs,
  };
  return {
    ...driver.settings(driverOptions),
    acquireConnectionTimeout: options.acquireTimeoutMs,
    asyncStackTraces: false,
    pool: {
      min: 0,
      max: options.pool.max,
      idleTimeoutMillis: IDLE_CONNECTION_MS,
      createTimeoutMillis: options.acquireTimeoutMs,
      afterCreate: (connection: C, done: (error: Error | null) => void) => {
        driver.prepare(connection, driverOptions).then(
          () => done(null),
          (error: unknown) => {
            driver.destroy(connection);
            done(error instanceof Error ? error : new LockstepError('INTERNAL', String(error)));
          },
        );
      },
    },
    log: {
      debug: () => undefined,
      warn: (fault: unknown) => log.debug({ err: fault }, 'the database pool warns'),
      error: (fault: unknown) => log.warn({ err: fault }, 'the database pool has a fault'),
      deprecate: () => undefined,
    },
  };
}
