import type { Runtime } from '../runtime/index.ts';
import type { ConnectionsOptions } from './connections/connections.ts';
import type { Pooling } from './connections/pooler.ts';
import { createMigrations, type Migrations } from './migrations.ts';
import type { Dialect } from './dialect.ts';
import { checkStatements } from './statements/sql-files.ts';
import type { Catalog, QueryCatalog, RowStore } from './port.ts';
import { QueryReader } from './queries/query-reader.ts';
import { clusterName, createRowNames, type RowNames } from './configuration/names.ts';
import { createSqlRunner } from './connections/sql-runner.ts';
import { createTableReader, type TableReader } from './queries/table-reader.ts';
import type { SqlRunner } from './statements/sql.ts';
import { SqlRowStore } from './write/sql-row-store.ts';
import { describingAgain } from './configuration/describe-again.ts';
import { zonedCatalog } from './configuration/zoned-catalog.ts';

export interface DatabaseOptions extends ConnectionsOptions {
  dialect: Dialect;
  runtime: Pick<Runtime, 'clock' | 'timers' | 'random' | 'log'>;
}

/** One database: its pool of connections and everything that Lockstep does with it. */
export interface Database {
  readonly rows: RowStore;
  readonly catalog: Catalog & QueryCatalog;
  readonly tables: TableReader;
  /** Where resources that share rows agree on a name. */
  readonly rowNames: RowNames;
  /** The name of this database's Lockstep; `made` where it has none yet. */
  clusterName(made: string): Promise<string>;
  /** For other capabilities' adapters on Lockstep's own tables. */
  readonly sql: SqlRunner;
  readonly migrations: Migrations;
  /** One round trip. @throws LockstepError `DATABASE_UNAVAILABLE` */
  ping(): Promise<void>;
  /** Whether a pooler stands between, as the connections so far have found it. */
  pooling(): Promise<Pooling>;
  /** Closes the pool; statements in flight get a moment to end. */
  close(): Promise<void>;
}

const PING = { any: 'select 1' };

/** Opens a database. Nothing is connected until it is used. */
export function openDatabase(options: DatabaseOptions): Database {
  const { dialect, runtime } = options;
  checkStatements(dialect);
  const { codes } = dialect;
  const connections = dialect.connect(options);
  const sql = createSqlRunner(connections, dialect);
  const rows = dialect.createRows(connections, runtime);
  const { timeZone = 'UTC' } = options;
  const tables = zonedCatalog(describingAgain(dialect.createCatalog(sql)), timeZone);
  const queries = new QueryReader({ connections, dialect: dialect.queries, codes, timeZone });
  return {
    rows: new SqlRowStore({ connections, dialect: rows, codes, queries }),
    catalog: {
      ...tables,
      querySpelling: dialect.queries.spelling,
      queryFault: (query) => queries.fault(query),
    },
    tables: createTableReader(connections, dialect.tables),
    rowNames: createRowNames(sql),
    clusterName: (made) => clusterName(sql, made),
    sql,
    migrations: createMigrations(dialect, options),
    ping: async () => {
      await sql.run(PING);
    },
    pooling: () => connections.pooling(),
    close: () => connections.close(),
  };
}
