import type { SqlRunner } from '../database/index.ts';
import type { Resource } from '../domain/index.ts';
import type { Runtime } from '../runtime/index.ts';
import type { ChangeSource, TableFault } from './port.ts';
import type { TableChanges } from './table-changes.ts';

/** The names of a change log on the database's server, where other databases may have change logs too. */
export interface LogNames {
  /**
   * PostgreSQL: the replication slot. MySQL and MariaDB: the name under which Lockstep's own table keeps the position.
   */
  slot: string;
  /** MySQL and MariaDB: the id of this reader of the binlog. */
  serverId: number;
}

export interface LogSettings {
  /** URL with the credentials of an account that may replicate. */
  connection: string;
  slot: string;
  publication: string;
}

export interface ChangeSourceOptions extends LogSettings, LogNames {
  sql: SqlRunner;
  /** Looked at anew each time that the log is opened. */
  resources: ReadonlyMap<string, Resource>;
  runtime: Runtime;
}

declare module '../database/statements/sql.ts' {
  interface SqlDialect {
    readonly changeLog: ChangeLogDialect;
  }
}

export interface ChangeLogDialect {
  /** See `logNames`. */
  names(
    sql: SqlRunner,
    configured: { slot: string | null; serverId: number | null },
  ): Promise<LogNames>;
  source(options: ChangeSourceOptions): ChangeSource;
  /** What is missing: one line for each setting or right, and for each table. */
  faults(
    sql: SqlRunner,
    log: LogSettings,
    tables: ReadonlyMap<string, TableChanges>,
  ): Promise<{ settings: string[]; tables: TableFault[] }>;
  /** See `publicationFor`. */
  publication(
    sql: SqlRunner,
    log: Pick<LogSettings, 'publication'>,
    tables: ReadonlyMap<string, TableChanges>,
  ): Promise<string | null>;
}
