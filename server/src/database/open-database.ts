import type { Runtime } from '../runtime/index.ts';
import { clusterName } from './cluster-name.ts';
import { openConnections } from './connections/connections.ts';
import { createMigrations, type Migrations } from './migrations.ts';
import { createMysqlCatalog } from './mysql/catalog.ts';
import { MysqlRowStore } from './mysql/row-store.ts';
import { createPgCatalog } from './postgres/catalog.ts';
import { PgRowStore } from './postgres/row-store.ts';
import type { Catalog, QueryCatalog, RowStore } from './port.ts';
import { QueryReader } from './queries/query-reader.ts';
import { QueryRows } from './queries/query-rows.ts';
import { createRowNames, type RowNames } from './configuration/row-names.ts';
import { createSqlRunner } from './connections/sql-runner.ts';
import { createTableReader, type TableReader } from './queries/table-reader.ts';
import type { DatabaseClient, SqlRunner } from './statements/sql.ts';
import { zonedCatalog } from './configuration/zoned-catalog.ts';

export interface DatabaseOptions {
  client: DatabaseClient;
  /** Connection URL with its credentials. */
  connection: string;
  pool: { min: number; max: number };
  /** Bound on one statement, by the server's own clock; a server that does not even say so is given up soon after. */
  statementTimeoutMs: number;
  /** Longest wait for a free connection, and for a new one. */
  acquireTimeoutMs: number;
  /** The zone of times without a zone: a name such as `Europe/Berlin`, or an offset such as `+02:00`. Default: UTC. */
  timeZone?: string;
  runtime: Pick<Runtime, 'clock' | 'timers' | 'random' | 'log'>;
}

/** One database: its pool of connections and everything that Lockstep does with it. */
export interface Database {
  readonly client: DatabaseClient;
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
  /** Closes the pool; statements under way get a moment to end. */
  close(): Promise<void>;
}

const PING = { pg: 'select 1', mysql2: 'select 1' };

/** Opens a database. Nothing is connected until it is used. */
export function openDatabase(options: DatabaseOptions): Database {
  const { client, runtime } = options;
  const connections = openConnections(options);
  const sql = createSqlRunner(connections);
  const rows =
    client === 'pg'
      ? new PgRowStore(connections, runtime)
      : new MysqlRowStore(connections, runtime);
  const { timeZone = 'UTC' } = options;
  const catalog = client === 'pg' ? createPgCatalog(sql) : createMysqlCatalog(sql);
  const tables = zonedCatalog(catalog, timeZone);
  const queries = new QueryReader(connections, timeZone);
  return {
    client,
    rows: new QueryRows(rows, queries),
    catalog: { ...tables, client, queryFault: (query) => queries.fault(query) },
    tables: createTableReader(connections),
    rowNames: createRowNames(sql),
    clusterName: (made) => clusterName(sql, made),
    sql,
    migrations: createMigrations(options),
    ping: async () => {
      await sql.run(PING);
    },
    close: () => connections.close(),
  };
}
