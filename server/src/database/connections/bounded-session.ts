import { LockstepError } from '../../domain/index.ts';
import type { Runtime } from '../../runtime/index.ts';
import type { Driver, RawResult, SentSql } from './driver.ts';
import { StatementFailure } from './statement-failure.ts';

/** One connection while a task has it. */
export interface Session {
  /** @throws StatementFailure */
  run(sql: SentSql): Promise<RawResult>;
  /**
   * Outside of a transaction: runs the statements as one, in one round trip. PostgreSQL only.
   * @returns their results; with a `failure`, nothing of it happened (or it is `lost`), and the results are those that
   *   came before the statement that failed (all of them: the commit failed)
   */
  runTogether(
    statements: readonly SentSql[],
  ): Promise<{ results: RawResult[]; failure: StatementFailure | null }>;
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

/** A connection in use: bounds every statement by the task's deadline, and cuts the connection when one is in doubt. */
export class BoundedSession<C extends object> implements Session {
  readonly #connection: C;
  readonly #driver: Driver<C>;
  readonly #runtime: Pick<Runtime, 'clock' | 'timers'>;
  readonly #boundMs: number;
  readonly #budget: Budget | undefined;
  #ended: 'cut' | 'closed' | null = null;
  #failure: StatementFailure | null = null;
  /** Tasks that are nested in one another now. */
  #depth = 0;

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
    this.#assertOpen();
    try {
      return await this.#inTime(this.#driver.run(this.#connection, sql));
    } catch (error) {
      throw this.#failed(error);
    }
  }

  async runTogether(
    statements: readonly SentSql[],
  ): Promise<{ results: RawResult[]; failure: StatementFailure | null }> {
    this.#assertOpen();
    if (this.#driver.runTogether === undefined)
      throw new LockstepError('INTERNAL', 'This database takes one statement at a time.');
    const results: RawResult[] = [];
    try {
      await this.#inTime(this.#driver.runTogether(this.#connection, statements, results));
      return { results, failure: null };
    } catch (error) {
      // A copy: after a timeout, answers may still come in.
      return { results: [...results], failure: this.#failed(error) };
    }
  }

  #assertOpen(): void {
    if (this.#ended !== null)
      throw new StatementFailure({ kind: 'unreached', code: 'SESSION_ENDED', cause: null });
  }

  #failed(error: unknown): StatementFailure {
    this.#failure = this.#driver.explain(error);
    if (this.#failure.kind === 'lost') this.cut();
    return this.#failure;
  }

  async nested<T>(task: () => Promise<T>): Promise<T> {
    const savepoint = `nested_${this.#depth}`;
    await this.run({ text: `savepoint ${savepoint}`, values: [] });
    this.#depth += 1;
    try {
      return await task();
    } catch (error) {
      if (error instanceof StatementFailure && error.kind !== 'refused') throw error;
      await this.run({ text: `rollback to savepoint ${savepoint}`, values: [] });
      this.#failure = null;
      throw error;
    } finally {
      this.#depth -= 1;
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
