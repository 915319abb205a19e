import { readStatements } from '../database/index.ts';
import catalogSql from './sql/catalog.sql?raw';
import mysqlCatalogSql from './sql/catalog.mysql.sql?raw';
import pgCatalogSql from './sql/catalog.pg.sql?raw';
import mysqlOperationsSql from './sql/operations.mysql.sql?raw';
import pgOperationsSql from './sql/operations.pg.sql?raw';
import serversSql from './sql/shared-servers.sql?raw';
import mysqlServersSql from './sql/shared-servers.mysql.sql?raw';
import pgServersSql from './sql/shared-servers.pg.sql?raw';

/** The coordinators that use the same servers. */
export const SHARED_SERVERS = readStatements(
  { shared: serversSql, pg: pgServersSql, mysql2: mysqlServersSql },
  ['add', 'delete', 'list-ages', 'list-others', 'prune'],
);

/** What the checks read from the database's catalog. */
export const CATALOG = readStatements(
  { shared: catalogSql, pg: pgCatalogSql, mysql2: mysqlCatalogSql },
  ['describe-server', 'list-own-tables', 'list-applied-migrations'],
  { pg: ['list-missing-rights'], mysql2: ['may-see-triggers', 'show-grants'] },
);

/** What an operator wants to know of the database. */
export const OPERATIONS = readStatements(
  { pg: pgOperationsSql, mysql2: mysqlOperationsSql },
  ['read-clock-and-zone', 'count-replicas'],
  { pg: ['list-idle-slots', 'read-failover-slot'] },
);
