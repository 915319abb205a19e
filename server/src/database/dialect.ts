import type { MigrationScripts } from '@lockstep/migrations';
import type { Runtime } from '../runtime/index.ts';
import type {
  Connections,
  ConnectionsOptions,
  OpenConnections,
} from './connections/connections.ts';
import type { Catalog } from './port.ts';
import type { QueryDialect } from './queries/query-reader.ts';
import type { TableDialect } from './queries/table-reader.ts';
import type { SqlDialect, SqlRunner } from './statements/sql.ts';
import type { RowDialect, RowReader } from './write/row-dialect.ts';

/** All that a SQL database does in its own way. It is chosen once, when the database is opened. */
export interface Dialect extends SqlDialect {
  /** The schemes of its connection URLs, without the colon. */
  readonly urlSchemes: readonly string[];
  /** What columns hold beyond what their type says: NaN and infinities in floats, other numbers than 0 and 1 in booleans. */
  readonly holds: { readonly nonFiniteFloats: boolean; readonly numbersInBooleans: boolean };
  /** Opens connections through its driver. Nothing is connected until they are used. */
  connect(options: ConnectionsOptions): OpenConnections;
  createRows(connections: Connections, runtime: Pick<Runtime, 'timers' | 'random'>): RowDialect;
  createCatalog(sql: SqlRunner): Catalog;
  /** Reads one row, also outside of a row store: on a replica for example. */
  readonly reader: RowReader;
  readonly tables: TableDialect;
  readonly queries: QueryDialect;
  readonly migrations: MigrationDialect;
}

/** How Lockstep's own tables are changed. */
export interface MigrationDialect {
  readonly scripts: MigrationScripts;
  /** Takes and releases a lock of the session, so that one process at a time migrates. */
  lock(timeoutMs: number): { take: string; release: string };
  /** Whether a migration is one transaction; otherwise each of its statements commits by itself. */
  readonly isTransactional: boolean;
  /** The statements of a migration's script, as they are sent. */
  split(script: string): string[];
  /** Whether a statement failed because an earlier run that was cut off has carried it out already. */
  isDoneAlready(error: unknown): boolean;
}
