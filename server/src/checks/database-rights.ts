/** Which rights the account lacks, each named with the grant that gives it. */
import type { FieldFault } from '@lockstep/shared';
import { quoteName, type SqlRunner, type SqlStatement } from '../database/index.ts';
import type { Resource } from '../domain/index.ts';
import type { CheckResult } from './check-result.ts';
import { serverCodes } from './connection-cause.ts';
import type { DatabaseUnderCheck, ServerFacts } from './database-under-check.ts';
import type { MigrationState } from './migration-state.ts';
import missingSql from './sql/missing-rights.pg.sql?raw';

const MISSING: SqlStatement = { pg: missingSql, mysql2: '' };
const VERBS = ['select', 'insert', 'update', 'delete'] as const;
type Verb = (typeof VERBS)[number];

/** Table or column denied; database denied; routine denied. */
const DENIED = ['1142', '1143', '1044', '1370'];

/**
 * A resource that cannot be read is of no use. One that may be read and not written is: its writes answer
 * `FORBIDDEN_BY_DATABASE`, which may be what the administrator wants.
 */
export async function checkRights(
  { path, database, server, resources }: DatabaseUnderCheck,
  state: MigrationState,
): Promise<Partial<CheckResult>> {
  const faults: FieldFault[] = [];
  const warnings: FieldFault[] = [];
  const stored = resources.filter(({ table }) => table !== '');
  for (const { table, verb } of await missingRights(database.sql, stored.map(tableOf))) {
    for (const { name } of stored.filter((resource) => tableOf(resource) === table)) {
      const at = `resources.${name}.table`;
      const allowed = grant(server, [verb], table);
      if (verb === 'select') {
        faults.push({ path: at, message: `may not be read by this account; allowed: ${allowed}` });
      } else {
        const message = `may not be written with ${verb} by this account: such writes will answer 403; if that is not wanted: ${allowed}`;
        warnings.push({ path: at, message });
      }
    }
  }
  if (state.pending.length === 0)
    faults.push(...(await ownTableFaults(database.sql, server, path, state)));
  else faults.push(...(await migratingFaults(database.sql, server, path, state)));
  return { faults, warnings };
}

const tableOf = ({ table }: Resource): string => table;

async function ownTableFaults(
  sql: SqlRunner,
  server: ServerFacts,
  path: string,
  { tables }: MigrationState,
): Promise<FieldFault[]> {
  const names = tables.map(({ name }) => name).filter((name) => !name.includes('migrations'));
  const missing = await missingRights(sql, names);
  return names.flatMap((name) => {
    const verbs = missing.filter(({ table }) => table === name).map(({ verb }) => verb);
    if (verbs.length === 0) return [];
    const message = `the account lacks ${verbs.join(', ')} on ${name}, a table of Lockstep’s own; allowed: ${grant(server, verbs, name)}`;
    return [{ path, message }];
  });
}

async function migratingFaults(
  sql: SqlRunner,
  server: ServerFacts,
  path: string,
  { pending, tables }: MigrationState,
): Promise<FieldFault[]> {
  const why =
    server.product === 'PostgreSQL' ? pgReason(server, tables) : await mysqlReason(sql, server);
  if (why === null) return [];
  const { reason, mend } = why;
  const what = `${pending.length} migration(s) of Lockstep’s own tables are pending and ${reason}`;
  const message = `${what}; allowed: ${mend}, or lockstep migrate up by an account that may`;
  return [{ path, message }];
}

interface Reason {
  reason: string;
  mend: string;
}

function pgReason(server: ServerFacts, tables: MigrationState['tables']): Reason | null {
  const { account, ownSchema, mayCreate } = server;
  if (ownSchema === '') {
    return { reason: 'search_path names no schema that is there', mend: 'a search_path with one' };
  }
  if (!mayCreate) {
    const schema = quoteName('pg', ownSchema);
    return {
      reason: `the account may not create in schema ${ownSchema}`,
      mend: `grant create on schema ${schema} to ${quoteName('pg', account)}`,
    };
  }
  const foreign = tables.find(({ isOwner }) => !isOwner);
  if (foreign === undefined) return null;
  return { reason: `${foreign.name} belongs to another account`, mend: 'its owner' };
}

const MIGRATING = ['create', 'alter', 'drop', 'index'] as const;
const SHOW_GRANTS: SqlStatement = { pg: '', mysql2: 'show grants' };

async function mysqlReason(sql: SqlRunner, server: ServerFacts): Promise<Reason | null> {
  const { rows } = await sql.run(SHOW_GRANTS);
  const held = rows
    .flatMap((row) => Object.values(row))
    .flatMap((line) => rightsOn(server.ownSchema, line ?? ''));
  // Rights that come by a role may stand in no line.
  if (held.includes('all privileges') || rows.length === 0) return null;
  const missing = MIGRATING.filter((right) => !held.includes(right));
  if (missing.length === 0) return null;
  return {
    reason: `the account lacks ${missing.join(', ')} on this database`,
    mend: `grant ${missing.join(', ')} on \`${server.ownSchema}\`.* to the account`,
  };
}

/** The rights that a line of `show grants` gives on a whole database. */
function rightsOn(database: string, line: string): string[] {
  const match = /^grant (.+) on (\*|`(?:[^`]|``)+`)\.\* to /i.exec(line);
  if (match === null) return [];
  const [, rights = '', where = ''] = match;
  return where === '*' || likePattern(where.slice(1, -1)).test(database)
    ? rights.toLowerCase().split(', ')
    : [];
}

/** A database's name in a grant is a pattern of LIKE. */
function likePattern(text: string): RegExp {
  const pattern = text.replaceAll(/\\?[\s\S]/g, (part) => {
    if (part === '%') return '.*';
    if (part === '_') return '.';
    return (part.length > 1 ? part.slice(1) : part).replaceAll(
      /[.*+?^${}()|[\]\\]/g,
      String.raw`\$&`,
    );
  });
  return new RegExp(`^${pattern}$`, 'i');
}

interface MissingRight {
  table: string;
  verb: Verb;
}

async function missingRights(sql: SqlRunner, tables: readonly string[]): Promise<MissingRight[]> {
  const all = [...new Set(tables)];
  if (all.length === 0) return [];
  return sql.client === 'pg' ? missingOnPg(sql, all) : missingOnMysql(sql, all);
}

async function missingOnPg(sql: SqlRunner, tables: readonly string[]): Promise<MissingRight[]> {
  const named = new Map(tables.map((table) => [quoteName('pg', table), table]));
  const { rows } = await sql.run(MISSING, { tables: [...named.keys()] });
  return rows.map((row) => ({
    table: named.get(row['name'] ?? '') ?? '',
    verb: row['privilege'] as Verb,
  }));
}

/** By trying: EXPLAIN asks for the rights of the statement and runs nothing. Its roles and patterns are the server's to weigh. */
async function missingOnMysql(sql: SqlRunner, tables: readonly string[]): Promise<MissingRight[]> {
  const missing: MissingRight[] = [];
  for (const table of tables) {
    for (const verb of VERBS) {
      if (await isDenied(sql, trial(verb, quoteName('mysql2', table))))
        missing.push({ table, verb });
    }
  }
  return missing;
}

function trial(verb: Verb, table: string): string {
  switch (verb) {
    case 'select':
      return `explain select 1 from ${table} where 1 = 0`;
    case 'insert':
      return `explain insert into ${table} () values ()`;
    case 'update':
      // The right is looked at before the column.
      return `explain update ${table} set nothing_of_this_name = 1 where 1 = 0`;
    case 'delete':
      return `explain delete from ${table} where 1 = 0`;
  }
}

async function isDenied(sql: SqlRunner, text: string): Promise<boolean> {
  try {
    await sql.run({ pg: '', mysql2: text });
    return false;
  } catch (error) {
    return serverCodes(error).some((code) => DENIED.includes(code));
  }
}

function grant({ account, product }: ServerFacts, verbs: readonly Verb[], table: string): string {
  const to =
    product === 'PostgreSQL'
      ? quoteName('pg', account)
      : account
          .split('@')
          .map((part) => `'${part}'`)
          .join('@');
  const name = quoteName(product === 'PostgreSQL' ? 'pg' : 'mysql2', table);
  return `grant ${verbs.join(', ')} on ${name} to ${to}`;
}
