/** The statements that give an account exactly the rights that `needed-rights.ts` lists. */
import type { Config } from '../config/index.ts';
import { type DatabaseClient, quoteName } from '../database/index.ts';
import { isLocal, type Resource } from '../domain/index.ts';
import { redisCommands } from './redis-rights.ts';
import {
  merged,
  type NamedRights,
  ownTableRights,
  resourceRights,
  type TableRights,
} from './needed-rights.ts';

export interface GrantsOptions {
  client: DatabaseClient;
  /** The account's name, without the host of MySQL and MariaDB. */
  account: string;
  database: string;
  /** PostgreSQL: the schema of Lockstep's own tables. */
  schema: string;
  config: {
    changeLog: Pick<Config['changeLog'], 'mode'>;
    database: Pick<Config['database'], 'capture'>;
  };
  resources: readonly Resource[];
  /** As `bindResources` returns them: MySQL and MariaDB show a table's foreign keys to accounts that may read it. */
  lookedAt: readonly string[];
  /**
   * PostgreSQL: what makes the publication, or adds the tables that it lacks; null where nothing is missing. It is for an
   * administrator: the account would have to own the tables for it.
   */
  publication: string | null;
}

export interface Grants {
  /** For running `lockstep migrate up`; a start also migrates if something is pending. */
  migrate: string[];
  /** For running coordinators once the tables are migrated. */
  run: string[];
  /** In addition, for following the change log; empty if it is off. */
  changeLog: string[];
  /** For `lockstep capture install`, in addition to those for running; empty without `database.capture: triggers`. */
  capture: string[];
  /**
   * For other programs that call `lockstep_invalidate`; `SERVICE` stands for the account. On PostgreSQL everybody may call
   * it who may use the schema, unless an administrator revoked that.
   */
  invalidate: string[];
  /** Redis commands that create the users of the cache and of each lock node. `PASSWORD` is to be replaced. */
  cache: string[];
  locks: string[];
}

export function grantsFor(options: GrantsOptions): Grants {
  return {
    ...SQL_GRANTS[options.client](options),
    cache: [cacheUser(options)],
    locks: [lockUser(options)],
  };
}

type SqlGrants = Pick<Grants, 'migrate' | 'run' | 'changeLog' | 'capture' | 'invalidate'>;

const SQL_GRANTS: Readonly<Record<DatabaseClient, (options: GrantsOptions) => SqlGrants>> = {
  pg: pgGrants,
  mysql2: mysqlGrants,
};

function pgGrants(options: GrantsOptions): SqlGrants {
  const [to, database, schema] = [options.account, options.database, options.schema].map((name) =>
    quoteName('pg', name),
  );
  const enter = [
    `grant connect on database ${database} to ${to};`,
    `grant usage on schema ${schema} to ${to};`,
  ];
  return {
    migrate: [...enter, `grant create on schema ${schema} to ${to};`],
    run: [
      ...enter,
      ...tablesByVerbs(options).map(
        ([verbs, tables]) => `grant ${verbs} on ${tables.join(', ')} to ${to};`,
      ),
      ...sequencesOf(options).map((sequence) => `grant usage on sequence ${sequence} to ${to};`),
    ],
    changeLog: followsLog(options)
      ? [
          `alter role ${to} replication;`,
          ...(options.publication === null ? [] : [`${options.publication};`]),
        ]
      : [],
    capture: [
      ...(capturedTables(options).length === 0
        ? []
        : [`grant create on schema ${schema} to ${to};`]),
      ...capturedTables(options).map((table) => `grant trigger on ${table} to ${to};`),
    ],
    invalidate: [
      `grant usage on schema ${schema} to SERVICE;`,
      `grant execute on function ${schema}.lockstep_invalidate(text, text[]) to SERVICE;`,
      `grant execute on function ${schema}.lockstep_guard(text, bigint, text[]) to SERVICE;`,
    ],
  };
}

/** Where the numbers of new rows come from: a key is drawn before its row is inserted. */
function sequencesOf({ resources }: GrantsOptions): string[] {
  const defaults = resources.flatMap(({ columns }) => columns.map(({ defaultSql }) => defaultSql));
  const names = defaults.flatMap((sql) => {
    const name = /^nextval\('((?:[^']|'')+)'::regclass\)$/.exec(sql ?? '')?.[1];
    return name === undefined ? [] : [name.replaceAll("''", "'")];
  });
  return [...new Set(names)];
}

function mysqlGrants(options: GrantsOptions): SqlGrants {
  const to = `${quoted(options.account)}@'%'`;
  const database = quoteName('mysql2', options.database);
  const migrating =
    'select, insert, update, delete, create, alter, drop, index, create routine, alter routine';
  return {
    migrate: [`grant ${migrating} on ${database}.* to ${to};`],
    run: tablesByVerbs(options).flatMap(([verbs, tables]) =>
      tables.map((table) => `grant ${verbs} on ${table} to ${to};`),
    ),
    changeLog: followsLog(options)
      ? [`grant replication slave, replication client on *.* to ${to};`]
      : [],
    capture: capturedTables(options).map((table) => `grant trigger on ${table} to ${to};`),
    invalidate: ['lockstep_invalidate', 'lockstep_guard'].map(
      (name) => `grant execute on procedure ${database}.${name} to 'SERVICE'@'%';`,
    ),
  };
}

/** Groups the tables by the rights that they need. */
function tablesByVerbs(options: GrantsOptions): [verbs: string, tables: string[]][] {
  const { client, resources, lookedAt } = options;
  const own = ownTableRights(client, followsLog(options));
  const shown = lookedAt.map((table): TableRights => ({ table, verbs: ['select'] }));
  const lines = new Map<string, string[]>();
  for (const { table, verbs } of merged([...own, ...resourceRights(client, resources), ...shown])) {
    const list = verbs.join(', ');
    lines.set(list, [...(lines.get(list) ?? []), table]);
  }
  return [...lines];
}

/** The tables that triggers are to be put on, quoted. */
function capturedTables({ client, config, resources }: GrantsOptions): string[] {
  if (config.database.capture !== 'triggers') return [];
  return [...new Set(resourceRights(client, resources).flatMap(tableOfCapture))];
}

const tableOfCapture = ({ kind, table }: NamedRights): string[] =>
  kind === 'cascade' ? [] : [table];

const followsLog = ({ config }: GrantsOptions): boolean => config.changeLog.mode === 'on';

const quoted = (text: string): string => `'${text.replaceAll("'", "''")}'`;

/** The cache's user. It may use all channels, because Redis compares the patterns of channels as plain texts. */
function cacheUser({ account, resources }: GrantsOptions): string {
  const templates = resources.flatMap(({ cacheKey, invalidates }) => [cacheKey, ...invalidates]);
  const prefixes = new Set(['lockstep:', ...templates.map(({ prefix }) => prefix)]);
  return redisUser(account, [...prefixes], '&*', redisCommands('cache', resources.some(isLocal)));
}

const lockUser = ({ account }: GrantsOptions): string =>
  redisUser(account, ['lockstep:'], 'resetchannels', redisCommands('lock node'));

function redisUser(
  account: string,
  prefixes: readonly string[],
  channels: string,
  commands: readonly string[],
): string {
  const keys = prefixes.map((prefix) => redisWord(`~${globOf(prefix)}*`));
  const all = commands.map((command) => `+${command}`);
  const user = redisWord(account);
  return ['acl setuser', user, 'on >PASSWORD resetkeys', ...keys, channels, '-@all', ...all].join(
    ' ',
  );
}

/** A text as a Redis pattern that matches only this text. */
const globOf = (text: string): string => text.replaceAll(/[*?[\]\\^]/g, String.raw`\$&`);

const redisWord = (word: string): string =>
  /^[\w:~*.-]+$/.test(word) ? word : `"${word.replaceAll(/["\\]/g, String.raw`\$&`)}"`;
