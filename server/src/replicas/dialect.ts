import { hasStatement, type SqlRow, type SqlRunner, type SqlStatement } from '../database/index.ts';
import { mariaDbDialect, mysqlDialect } from './mysql-dialect.ts';
import { pgDialect } from './pg-dialect.ts';
import type { PositionDialect } from './position-dialect.ts';

/** Distinguishes MariaDB from MySQL. */
const VERSION: SqlStatement = { mysql2: 'select version() as version' };

/** Finds out what the database is. @throws LockstepError `DATABASE_UNAVAILABLE` */
export async function dialectOf(sql: SqlRunner): Promise<PositionDialect> {
  if (!hasStatement(sql, VERSION)) return pgDialect;
  const { rows } = await sql.run(VERSION);
  return /mariadb/i.test(rows[0]?.version ?? '') ? mariaDbDialect : mysqlDialect;
}

/** What a position statement answered; null where the server has none. */
export const positionText = (row: SqlRow | undefined): string | null => {
  const text = row?.position?.replaceAll(/\s/g, '') ?? '';
  return text === '' ? null : text;
};
