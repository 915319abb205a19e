/** Finds the rights that the account lacks, each with the grant that gives it. */
import type { FieldFault } from '@lockstep/shared';
import { quoteName, type SqlRunner } from '../database/index.ts';
import type { CheckResult } from './check-result.ts';
import { serverCodes } from './connection-cause.ts';
import type { DatabaseUnderCheck, ServerFacts } from './database-under-check.ts';
import type { MigrationState } from './migration-state.ts';
import {
  merged,
  type NamedRights,
  ownTableRights,
  resourceRights,
  type TableRights,
  type Verb,
} from './needed-rights.ts';
import { CATALOG as SQL } from './statements.ts';

/** The errors of a missing right: on a table, a column, a database, a routine. */
const DENIED = ['1142', '1143', '1044', '1370'];

/**
 * A resource that cannot be read is a fault. One that can be read but not written is only a warning: its writes answer
 * `FORBIDDEN_BY_DATABASE`, which the administrator may want.
 */
export async function checkRights(
  { path, config, database, server, resources }: DatabaseUnderCheck,
  state: MigrationState,
): Promise<Partial<CheckResult>> {
  const { sql } = database;
  const needed = resourceRights(sql.client, resources);
  const missing = await missingRights(sql, merged(needed));
  const lines = missing.flatMap((right) => needed.flatMap((each) => lineOf(server, right, each)));
  const once = [...new Map(lines.map((line) => [JSON.stringify(line), line])).values()];
  const own =
    state.pending.length > 0
      ? await migratingFaults(sql, server, path, state)
      : await ownTableFaults(sql, server, path, config.changeLog.mode === 'on');
  return {
    faults: [...once.filter(({ isFault }) => isFault).map(({ line }) => line), ...own],
    warnings: once.filter(({ isFault }) => !isFault).map(({ line }) => line),
  };
}

/** The line about a missing right, for one of the fields that need it. */
function lineOf(
  server: ServerFacts,
  { table, verb }: MissingRight,
  needed: NamedRights,
): { isFault: boolean; line: FieldFault }[] {
  if (needed.table !== table || !needed.verbs.includes(verb)) return [];
  const { path, kind } = needed;
  const allowed = grant(server, [verb], table);
  const line = (isFault: boolean, message: string): { isFault: boolean; line: FieldFault }[] => [
    { isFault, line: { path, message } },
  ];
  if (kind === 'cascade') {
    return line(
      false,
      `changes rows of ${table} by a foreign key, and the account lacks ${verb} on that table: such writes will answer 403; if that is not wanted: ${allowed}`,
    );
  }
  if (kind === 'query')
    return line(true, `reads ${table}, which this account may not; allowed: ${allowed}`);
  if (verb === 'trigger') {
    return line(
      false,
      `may have triggers that this account is not shown (TRIGGER is missing): what they change would not be answered; if it has any: ${allowed}`,
    );
  }
  if (verb === 'select') return line(true, `may not be read by this account; allowed: ${allowed}`);
  return line(
    false,
    `may not be written with ${verb} by this account: such writes will answer 403; if that is not wanted: ${allowed}`,
  );
}

async function ownTableFaults(
  sql: SqlRunner,
  server: ServerFacts,
  path: string,
  followsLog: boolean,
): Promise<FieldFault[]> {
  const needed = ownTableRights(sql.client, followsLog);
  const missing = await missingRights(sql, needed);
  return needed.flatMap(({ table }) => {
    const verbs = missing.filter((right) => right.table === table).map(({ verb }) => verb);
    if (verbs.length === 0) return [];
    const message = `the account lacks ${verbs.join(', ')} on ${table}, a table of Lockstep’s own; allowed: ${grant(server, verbs, table)}`;
    return [{ path, message }];
  });
}

async function migratingFaults(
  sql: SqlRunner,
  server: ServerFacts,
  path: string,
  { pending, tables }: MigrationState,
): Promise<FieldFault[]> {
  const why = await REASONS[sql.client](sql, server, tables);
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

const REASONS = { pg: pgReason, mysql2: mysqlReason };

function pgReason(
  _sql: SqlRunner,
  { grantee, ownSchema, mayCreate }: ServerFacts,
  tables: MigrationState['tables'],
): Reason | null {
  if (ownSchema === '') {
    return { reason: 'search_path names no schema that exists', mend: 'a search_path that does' };
  }
  if (!mayCreate) {
    const schema = quoteName('pg', ownSchema);
    return {
      reason: `the account may not create in schema ${ownSchema}`,
      mend: `grant create on schema ${schema} to ${grantee}`,
    };
  }
  const foreign = tables.find(({ isOwner }) => !isOwner);
  if (foreign === undefined) return null;
  return { reason: `${foreign.name} belongs to another account`, mend: 'its owner' };
}

const MIGRATING = ['create', 'alter', 'drop', 'index', 'create routine', 'alter routine'] as const;

async function mysqlReason(sql: SqlRunner, server: ServerFacts): Promise<Reason | null> {
  const { rows } = await sql.run(SQL['show-grants']);
  const held = rows
    .flatMap((row) => Object.values(row))
    .flatMap((line) => rightsOn(server.ownSchema, line ?? ''));
  // Rights that the account has through a role may not be shown.
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

/** A database's name in a grant is a LIKE pattern. */
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

/** Which of the needed rights the account lacks. */
async function missingRights(
  sql: SqlRunner,
  needed: readonly TableRights[],
): Promise<MissingRight[]> {
  if (needed.length === 0) return [];
  const missing = await FINDERS[sql.client](sql, needed);
  return missing.filter(({ table, verb }) =>
    needed.some((each) => each.table === table && each.verbs.includes(verb)),
  );
}

const FINDERS = { pg: missingOnPg, mysql2: missingOnMysql };

async function missingOnPg(
  sql: SqlRunner,
  needed: readonly TableRights[],
): Promise<MissingRight[]> {
  const { rows } = await sql.run(SQL['list-missing-rights'], {
    tables: needed.map(({ table }) => table),
  });
  return rows.map((row) => ({ table: row['name'] ?? '', verb: row['privilege'] as Verb }));
}

/**
 * Finds out by trying: EXPLAIN needs the rights of its statement and runs nothing. So the server evaluates roles and
 * patterns.
 */
async function missingOnMysql(
  sql: SqlRunner,
  needed: readonly TableRights[],
): Promise<MissingRight[]> {
  const missing: MissingRight[] = [];
  for (const { table, verbs } of needed) {
    for (const verb of verbs) {
      const isMissing =
        verb === 'trigger'
          ? (await sql.run(SQL['may-see-triggers'], { table })).rows[0]?.['grants'] === '0'
          : await isDenied(sql, trial(verb, table));
      if (isMissing) missing.push({ table, verb });
    }
  }
  return missing;
}

function trial(verb: Exclude<Verb, 'trigger'>, table: string): string {
  switch (verb) {
    case 'select':
      return `explain select 1 from ${table} where 1 = 0`;
    case 'insert':
      return `explain insert into ${table} () values ()`;
    case 'update':
      // The server checks the right before the column's name.
      return `explain update ${table} set nothing_of_this_name = 1 where 1 = 0`;
    case 'delete':
      return `explain delete from ${table} where 1 = 0`;
  }
}

async function isDenied(sql: SqlRunner, text: string): Promise<boolean> {
  try {
    await sql.run({ mysql2: text });
    return false;
  } catch (error) {
    return serverCodes(error).some((code) => DENIED.includes(code));
  }
}

const grant = ({ grantee }: ServerFacts, verbs: readonly Verb[], table: string): string =>
  `grant ${verbs.join(', ')} on ${table} to ${grantee}`;
