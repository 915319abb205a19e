export { bindResources, type ResourceConfig } from './bind-resources.ts';
export { decodeValue } from './row-text.ts';
export { openDatabase, type Database, type DatabaseOptions } from './open-database.ts';
export type { KeyedRow, TableReader } from './table-reader.ts';
export type { Migrations, MigrationStatus } from './migrations.ts';
export type * from './port.ts';
export type * from './sql.ts';
export { quoteName, renderSql } from './sql-text.ts';
export { readStoredRow, type StoredColumns, type StoredRow } from './stored-row.ts';
