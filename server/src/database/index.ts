export {
  bindResources,
  type BoundResources,
  keyColumnFault,
  type ResourceConfig,
} from './configuration/bind-resources.ts';
export { knowTables, presentClusterName } from './configuration/names.ts';
export { decodeValue } from './values/row-text.ts';
export { openDatabase, type Database, type DatabaseOptions } from './open-database.ts';
export { openReplica, type ReplicaDatabase, type SurroundedRow } from './open-replica.ts';
export type { KeyedRow, TableReader } from './queries/table-reader.ts';
export { lossOf, type Migrations, type MigrationStatus } from './migrations.ts';
export { poolerFault } from './connections/pooler.ts';
export type * from './port.ts';
export { chainOf, codeOf, serverCodes } from './connections/server-codes.ts';
export { isOfSchema } from './connections/statement-failure.ts';
export type * from './statements/error-codes.ts';
export type * from './statements/sql.ts';
export type { Spelling } from './statements/spelling.ts';
export type { Dialect } from './dialect.ts';
export { type RowsOfKeys, rowsOfKeys } from './rows-of-keys.ts';
export { readStatements } from './statements/sql-files.ts';
export { statementsOf } from './statements/named-sql.ts';
export { hasStatement, quoteName, quoteTable, renderStatement } from './statements/sql-text.ts';
export { readStoredRow, type StoredColumns, type StoredRow } from './values/stored-row.ts';
export { unfitState } from './configuration/table-states.ts';
export { triggerWarnings } from './configuration/trigger-warnings.ts';
