import type { FieldFault } from '@lockstep/shared';
import { migrations } from '@lockstep/migrations';
import { serverCodes, type SqlRunner } from '../database/index.ts';
import type { OwnTable } from '../rights/index.ts';
import { ACCOUNT as SQL } from './statements.ts';

const RECORD = 'lockstep_migrations';

/** Which migrations the database has. Finding out only reads. */
export interface MigrationState {
  tables: readonly OwnTable[];
  /** Names of migrations that the database does not have yet. */
  pending: readonly string[];
  /** Names of migrations that the database has and this program does not know. */
  unknown: readonly string[];
}

/** @throws LockstepError if the table of migrations may not be read */
export async function migrationState(sql: SqlRunner): Promise<MigrationState> {
  const { rows } = await sql.run(SQL['list-own-tables']);
  const tables = rows.map((row) => ({ name: row['name'] ?? '', isOwner: row['is_owner'] !== 'f' }));
  const mayBeRecorded =
    !sql.dialect.rights.listsAllTables || tables.some(({ name }) => name === RECORD);
  const done = mayBeRecorded ? await appliedNames(sql) : [];
  const known: string[] = migrations.map(({ name }) => name);
  return {
    tables,
    pending: known.filter((name) => !done.includes(name)),
    unknown: done.filter((name) => !known.includes(name)),
  };
}

async function appliedNames(sql: SqlRunner): Promise<string[]> {
  try {
    return (await sql.run(SQL['list-applied-migrations'])).rows.map((row) => row['name'] ?? '');
  } catch (error) {
    if (serverCodes(error).some((code) => sql.dialect.codes.noSuchTable.includes(code))) return [];
    throw error;
  }
}

/** The fault if a newer version has migrated the tables, because this one may write them wrongly; null if none has. */
export function newerMigrationFault(
  path: string,
  unknown: MigrationState['unknown'],
): FieldFault | null {
  const newest = unknown.at(-1);
  if (newest === undefined) return null;
  const message = `was migrated by a newer Lockstep (${newest} is not known here); allowed: that version or a newer one`;
  return { path, message };
}
