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
   * Runs statements one after another, in one round trip where the driver can do that. The first one that fails is the
   * last one that runs.
   * @returns the answer of each
   * @throws StatementFailure, which says how many were answered before it where they were sent in one round trip
   */
  runAll(statements: readonly SentSql[]): Promise<RawResult[]>;
  /**
   * Within a transaction: its last statements, and its commit, as `runAll`. Nothing may be run after it.
   * @throws StatementFailure `lost` where it may be committed
   */
  commitWith(statements: readonly SentSql[]): Promise<RawResult[]>;
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

const BEGIN: SentSql = { text: 'start transaction', values: [] };
const COMMIT: SentSql = { text: 'commit', values: [] };
const ROLLBACK: SentSql = { text: 'rollback', values: [] };

/**
 * A connection in use: bounds every statement by the task's deadline, and cuts the connection when one is in doubt.
 *
 * States of its transaction: none -> begun (where the driver sends several statements at once, the server learns of it
 * with the first ones) -> committing: an answer that is missing now leaves the outcome unknown -> none.
 */
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
  /** The transaction is begun, and the server does not know it yet. */
  #isBeginUnsent = false;
  #isCommitting = false;

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

  /** Whether the commit was sent: a failure that is `lost` then leaves the outcome unknown. */
  get isCommitting(): boolean {
    return this.#isCommitting;
  }

  async run(sql: SentSql): Promise<RawResult> {
    if (this.#isBeginUnsent) return lastOf(await this.runAll([sql]));
    return this.#answered(() => this.#driver.run(this.#connection, sql));
  }

  async runAll(statements: readonly SentSql[]): Promise<RawResult[]> {
    const { runAll } = this.#driver;
    if (statements.length === 0) return [];
    if (runAll === undefined) {
      const results: RawResult[] = [];
      for (const sql of statements) results.push(await this.run(sql));
      return results;
    }
    const begin = this.#isBeginUnsent ? [BEGIN] : [];
    this.#isBeginUnsent = false;
    const all = [...begin, ...statements];
    const results = await this.#answered(() => runAll(this.#connection, all), begin.length);
    return results.slice(begin.length);
  }

  async commitWith(statements: readonly SentSql[]): Promise<RawResult[]> {
    if (this.#driver.runAll === undefined) {
      const results = await this.runAll(statements);
      await this.commit();
      return results;
    }
    this.#isCommitting = true;
    return (await this.runAll([...statements, COMMIT])).slice(0, -1);
  }

  async begin(): Promise<void> {
    if (this.#driver.runAll === undefined) await this.run(BEGIN);
    else this.#isBeginUnsent = true;
  }

  /** Where the task has not committed itself. */
  async commit(): Promise<void> {
    if (this.#isCommitting || this.#isBeginUnsent) return;
    this.#isCommitting = true;
    await this.run(COMMIT);
  }

  async rollBack(): Promise<void> {
    if (this.#isBeginUnsent) this.#isBeginUnsent = false;
    else await this.run(ROLLBACK);
  }

  /** @param begun statements in front that the task does not know of */
  async #answered<T>(send: () => Promise<T>, begun = 0): Promise<T> {
    this.#assertOpen();
    try {
      return await this.#inTime(send());
    } catch (error) {
      throw this.#failed(error, begun);
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

  #failed(error: unknown, begun = 0): StatementFailure {
    const failure = this.#driver.explain(error);
    const answered = Math.max(0, failure.answered - begun);
    this.#failure = begun === 0 ? failure : failure.as(failure.kind, { answered });
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

function lastOf(results: readonly RawResult[]): RawResult {
  const last = results.at(-1);
  if (last === undefined) throw new LockstepError('INTERNAL', 'A statement has no answer.');
  return last;
}
