import type { ErrorCodes } from './error-codes.ts';
import type { FileDialect, NamedStatement } from './sql-files.ts';

/**
 * What a database does in its own way. Here is what every statement needs. A capability that asks a database for more
 * adds its part with `declare module`, and the compiler then asks each folder in `dialects` for it.
 */
export interface SqlDialect extends FileDialect {
  /** The database, as `database.client` names it. */
  readonly client: string;
  readonly codes: ErrorCodes;
}

/**
 * A statement with `:name` placeholders (`::type` casts are left alone; no other colon may stand before a letter): one of
 * the SQL files, or a text by client. The text under `any` is for every database that has none of its own. A statement is
 * compiled once: keep its text constant and give values as bindings.
 */
export type SqlStatement = NamedStatement | SqlTexts;

/** A statement's text for each client that it is for. */
export type SqlTexts = Readonly<Partial<Record<string, string>>>;

/**
 * A value for a placeholder. On PostgreSQL a list is an array (`= any(:ids)`); on MySQL it stands as a list
 * (`in (:ids)`), and must not be empty there.
 */
export type SqlValue =
  string | number | bigint | boolean | null | Buffer | readonly (string | number | bigint | null)[];

export type SqlBindings = Readonly<Record<string, SqlValue>>;

/**
 * A row as the database writes it in text: numbers as digits, JSON as text, times in UTC (PostgreSQL
 * `2026-01-02 03:04:05.678+00`, MySQL `2026-01-02 03:04:05.678`), booleans `t`/`f` on PostgreSQL and `1`/`0` on MySQL.
 */
export type SqlRow = Record<string, string | null>;

export interface SqlResult {
  rows: SqlRow[];
  /** Rows changed; on MySQL an update counts the rows that it matched. */
  affected: number;
  /** MySQL: the generated id of an insert; null elsewhere (use `returning id` on PostgreSQL). */
  insertId: string | null;
}

/**
 * Runs statements, each bounded by the statement timeout.
 * Rejects with LockstepError `DATABASE_UNAVAILABLE` where the database does not answer (a change may then have
 * happened: `outcome` is `unknown` once it was sent outside a transaction), `CONSTRAINT` where a constraint refused
 * it, `INVALID` where a value does not fit its column.
 */
export interface SqlSession {
  run(statement: SqlStatement, bindings?: SqlBindings): Promise<SqlResult>;
}

/** Lockstep's own SQL, on its own tables, for other capabilities' adapters. */
export interface SqlRunner extends SqlSession {
  readonly dialect: SqlDialect;
  /**
   * Runs `work` in one READ COMMITTED transaction on one connection; commits when it resolves and rolls back when it
   * rejects. `work` must not use the runner itself. Rejects with `OUTCOME_UNKNOWN` where the commit got no answer.
   */
  transaction<T>(work: (session: SqlSession) => Promise<T>): Promise<T>;
  /**
   * Runs `work` on one connection without a transaction, for what belongs to a session (its locks). The connection
   * goes back to the pool afterwards: `work` leaves nothing on it.
   */
  session<T>(work: (session: SqlSession) => Promise<T>): Promise<T>;
}
