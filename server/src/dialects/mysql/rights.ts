import { quoteName, serverCodes, type SqlRunner, statementsOf } from '../../database/index.ts';
import {
  type AccountFacts,
  type MissingRight,
  type Obstacle,
  type RightsDialect,
  type SqlGrants,
  type SqlGrantsOptions,
  type TableRights,
  type Verb,
  VERBS,
} from '../../rights/index.ts';
import { mysqlCodes } from './error-codes.ts';
import { MYSQL } from './spelling.ts';
import statements from './sql/rights.sql?raw';

const SQL = statementsOf('mysql2', statements, ['may-see-triggers', 'show-grants']);

export const mysqlRights: RightsDialect = {
  product: (version) => (/mariadb/i.test(version) ? 'MariaDB' : 'MySQL'),
  leastVersions: { MySQL: [8, 0], MariaDB: [10, 11] },
  readOnlySetting: 'read_only is on, as on a replica',
  storagesUnseen: (product) =>
    product === 'MySQL'
      ? 'the account lacks PROCESS, or the name of the table or its database is not ASCII'
      : 'the account lacks PROCESS',
  grantee: (account) =>
    account
      .split('@')
      .map((part) => `'${part}'`)
      .join('@'),
  // Triggers are shown only to accounts that may create them.
  onResources: [...VERBS, 'trigger'],
  // `on duplicate key update` needs UPDATE even if it changes nothing.
  onOwnTables: { lockstep_cluster: ['update'], lockstep_shared_rows: ['update'] },
  listsAllTables: false,
  insertWords: '',
  missing,
  migrating: (sql, account) => whyNotMigrating(sql, account),
  grants: mysqlGrants,
};

/**
 * Finds out by trying: EXPLAIN needs the rights of its statement and runs nothing. So the server evaluates roles and
 * patterns.
 */
async function missing(sql: SqlRunner, needed: readonly TableRights[]): Promise<MissingRight[]> {
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
    return serverCodes(error).some((code) => mysqlCodes.denied.includes(code));
  }
}

const MIGRATING = ['create', 'alter', 'drop', 'index', 'create routine', 'alter routine'] as const;

async function whyNotMigrating(
  sql: SqlRunner,
  { ownSchema }: AccountFacts,
): Promise<Obstacle | null> {
  const { rows } = await sql.run(SQL['show-grants']);
  const held = rows
    .flatMap((row) => Object.values(row))
    .flatMap((line) => rightsOn(ownSchema, line ?? ''));
  // Rights that the account has through a role may not be shown.
  if (held.includes('all privileges') || rows.length === 0) return null;
  const missing = MIGRATING.filter((right) => !held.includes(right));
  if (missing.length === 0) return null;
  return {
    reason: `the account lacks ${missing.join(', ')} on this database`,
    mend: `grant ${missing.join(', ')} on \`${ownSchema}\`.* to the account`,
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

function mysqlGrants(options: SqlGrantsOptions): SqlGrants {
  const to = `${quoted(options.account)}@'%'`;
  const database = quoteName(MYSQL, options.database);
  const migrating =
    'select, insert, update, delete, create, alter, drop, index, create routine, alter routine';
  return {
    migrate: [`grant ${migrating} on ${database}.* to ${to};`],
    run: options.tables.flatMap(({ verbs, tables }) =>
      tables.map((table) => `grant ${verbs} on ${table} to ${to};`),
    ),
    changeLog: options.followsLog
      ? [`grant replication slave, replication client on *.* to ${to};`]
      : [],
    capture: options.captured.map((table) => `grant trigger on ${table} to ${to};`),
    invalidate: ['lockstep_invalidate', 'lockstep_guard'].map(
      (name) => `grant execute on procedure ${database}.${name} to 'SERVICE'@'%';`,
    ),
  };
}

const quoted = (text: string): string => `'${text.replaceAll("'", "''")}'`;
