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
import type { Driver, DriverOptions, RawResult, SentSql } from './driver.ts';
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

/** One connection while a task has it. */
export interface Session {
  /** @throws StatementFailure */
  run(sql: SentSql): Promise<RawResult>;
  /**
   * Within a transaction: runs `task` after a savepoint, and where it rejects because a statement was refused, or for a
   * cause of its own, takes all of it back before it rejects. The transaction then goes on.
   */
  nested<T>(task: () => Promise<T>): Promise<T>;
}

/** The time that the statements of one operation have together; it starts with the first of them. */
export interface Budget {
  startedAtMs: number | null;
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

/** A connection in use: bounds every statement by the task's deadline, and cuts the connection when one is in doubt. */
class BoundedSession<C extends object> implements Session {
  readonly #connection: C;
  readonly #driver: Driver<C>;
  readonly #runtime: Pick<Runtime, 'clock' | 'timers'>;
  readonly #boundMs: number;
  readonly #budget: Budget | undefined;
  #ended: 'cut' | 'closed' | null = null;
  #failure: StatementFailure | null = null;

  constructor(
    connection: C,
    driver: Driver<C>,
    runtime: Pick<Runtime, 'clock' | 'timers'>,
    boundMs: number,
    budget: Budget | undefined,
  ) {
    this.#connection = connection;
    this.#driver = driver;
    this.#runtime = runtime;
    this.#boundMs = boundMs;
    this.#budget = budget;
  }

  /** The last statement that failed. */
  get failure(): StatementFailure | null {
    return this.#failure;
  }

  async run(sql: SentSql): Promise<RawResult> {
    if (this.#ended !== null) {
      throw new StatementFailure({ kind: 'unreached', code: 'SESSION_ENDED', cause: null });
    }
    try {
      return await this.#inTime(this.#driver.run(this.#connection, sql));
    } catch (error) {
      this.#failure = this.#driver.explain(error);
      if (this.#failure.kind === 'lost') this.cut();
      throw this.#failure;
    }
  }

  async nested<T>(task: () => Promise<T>): Promise<T> {
    await this.run({ text: 'savepoint nested', values: [] });
    try {
      return await task();
    } catch (error) {
      if (error instanceof StatementFailure && error.kind !== 'refused') throw error;
      await this.run({ text: 'rollback to savepoint nested', values: [] });
      this.#failure = null;
      throw error;
    }
  }

  /** Does not rest on the driver: mysql2 never settles a statement whose connection is destroyed. */
  #inTime<T>(answer: Promise<T>): Promise<T> {
    return new Promise((resolve, reject) => {
      const timer = this.#runtime.timers.after(this.#leftMs(), () => {
        reject(new StatementFailure({ kind: 'lost', code: 'NO_ANSWER_IN_TIME', cause: null }));
      });
      answer.then(resolve, reject).finally(() => timer.cancel());
    });
  }

  #leftMs(): number {
    if (this.#budget === undefined) return this.#boundMs;
    const nowMs = this.#runtime.clock.nowMs();
    this.#budget.startedAtMs ??= nowMs;
    return Math.max(1, this.#boundMs - (nowMs - this.#budget.startedAtMs));
  }

  cut(): void {
    if (this.#ended !== null) return;
    this.#ended = 'cut';
    // knex looks at this mark before it hands a connection out again; the driver's own event may come later.
    Object.assign(this.#connection, { __knex__disposed: 'in doubt' });
    this.#driver.destroy(this.#connection);
  }

  close(): void {
    this.#ended ??= 'closed';
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
      warn: (message: unknown) => log.debug({ message: String(message) }, 'Database pool'),
      error: (message: unknown) => log.warn({ message: String(message) }, 'Database pool'),
      deprecate: () => undefined,
    },
  };
}
