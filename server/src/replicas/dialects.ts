import type { DatabaseClient, SqlRunner } from '../database/index.ts';
import { mysqlDialectOf } from './mysql-dialect.ts';
import { pgDialect } from './pg-dialect.ts';
import type { PositionDialect } from './dialect.ts';

const DIALECTS: Readonly<Record<DatabaseClient, (sql: SqlRunner) => Promise<PositionDialect>>> = {
  pg: () => Promise.resolve(pgDialect),
  mysql2: mysqlDialectOf,
};

/** Finds out what the database is. @throws LockstepError `DATABASE_UNAVAILABLE` */
export const dialectOf = (sql: SqlRunner): Promise<PositionDialect> => DIALECTS[sql.client](sql);
