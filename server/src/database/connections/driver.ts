import type { Knex } from 'knex';
import type { ColumnType } from '../../domain/index.ts';
import { bindSql, type CompiledSql } from '../statements/sql-text.ts';
import type { SqlBindings, SqlValue } from '../statements/sql.ts';
import type { RefusalCodes } from './refusals.ts';
import type { StatementFailure } from './statement-failure.ts';

/** A value as the driver hands it over: text on PostgreSQL, bytes on MySQL. */
export type RawValue = string | Buffer | null;

/** A statement ready to be sent. */
export interface SentSql {
  text: string;
  values: readonly SqlValue[];
  /** PostgreSQL: prepare it once on each connection under this name. */
  name?: string;
}

export interface RawResult {
  columns: readonly string[];
  /** What the columns hold, as the server says with the result. Asked for only if no table's description says it. */
  types(): readonly ColumnType[];
  rows: RawValue[][];
  affected: number;
  insertId: string | null;
}

/** What differs between the SQL drivers, for one connection of type `C`. */
export interface Driver<C> {
  /** The server answers the commit of a failed transaction without an error, and rolls it back. */
  readonly rollsBackFailedCommits: boolean;
  readonly refusalCodes: RefusalCodes;
  /** Settings for knex, which keeps the pool. */
  settings(options: DriverOptions): Knex.Config;
  /** The session id that the server announced when the connection was made; null if it announced none. */
  announcedSession(connection: C): string | null;
  /** The id of the session that carries out the statement. */
  currentSession(connection: C): Promise<string>;
  /**
   * Prepares a new connection's session: time zone, strict modes, timeouts.
   * @param isPooled the session may be one that others have used before
   */
  prepare(connection: C, options: DriverOptions, isPooled: boolean): Promise<void>;
  /** Takes everything back that was set on the session, before a pooler hands it to another program. */
  reset(connection: C): Promise<void>;
  run(connection: C, sql: SentSql): Promise<RawResult>;
  /**
   * Sends several statements at once. The server answers each and stops at the first one that fails. Absent: the driver
   * sends one at a time.
   */
  readonly runAll?: (connection: C, statements: readonly SentSql[]) => Promise<RawResult[]>;
  /**
   * Absent: the server takes one statement at a time. Runs statements as one transaction of their own in one round trip.
   * @param done filled with their results, in order; if it rejects, with those that came before the one that failed (all
   *   of them: the commit failed)
   */
  runTogether?(connection: C, statements: readonly SentSql[], done: RawResult[]): Promise<void>;
  /** Cuts the connection at once; a statement in flight on it rejects. */
  destroy(connection: C): void;
  /** What an error of `run` or of connecting means. */
  explain(error: unknown): StatementFailure;
}

export interface DriverOptions {
  connection: string;
  statementTimeoutMs: number;
  connectTimeoutMs: number;
  /** Of times without a zone, which the server itself may fill in (`now()`). */
  timeZone: string;
}

/** A compiled statement with its values. */
export function sendSql(sql: CompiledSql, bindings: SqlBindings): SentSql {
  const { text, name } = sql;
  const values = bindSql(sql, bindings);
  return name === undefined ? { text, values } : { text, values, name };
}
