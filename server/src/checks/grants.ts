/** The statements that give an account exactly the rights that `rights/needed-rights.ts` lists. */
import type { Config } from '../config/index.ts';
import type { SqlDialect, SqlRunner } from '../database/index.ts';
import { isLocal, type Resource } from '../domain/index.ts';
import {
  merged,
  ownTableRights,
  resourceRights,
  type SqlGrants,
  type SqlGrantsOptions,
  type TableRights,
} from '../rights/index.ts';
import { redisCommands } from './redis-rights.ts';
import { ACCOUNT } from './statements.ts';

export interface GrantsOptions {
  dialect: SqlDialect;
  /** The account's name, without the host of MySQL and MariaDB. */
  account: string;
  database: string;
  /** PostgreSQL: the schema of Lockstep's own tables. */
  schema: string;
  config: {
    changeLog: Pick<Config['changeLog'], 'mode'>;
    database: Pick<Config['database'], 'capture'>;
    cache: Pick<Config['cache'], 'mode' | 'waitReplicas'>;
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

export interface Grants extends SqlGrants {
  /** Redis commands that create the users of the cache and of each lock node. `PASSWORD` is to be replaced. */
  cache: string[];
  locks: string[];
}

export function grantsFor(options: GrantsOptions): Grants {
  const { dialect, config, resources } = options;
  const sql = dialect.rights.grants({
    ...options,
    followsLog: followsLog(options),
    tables: tablesByVerbs(options),
    captured: config.database.capture === 'triggers' ? capturedTables(dialect, resources) : [],
  });
  return { ...sql, cache: [cacheUser(options)], locks: [lockUser(options)] };
}

/** Where the account's own tables are. */
export async function readPlace(
  sql: SqlRunner,
): Promise<Pick<GrantsOptions, 'database' | 'schema'>> {
  const [row = {}] = (await sql.run(ACCOUNT['read-place'])).rows;
  return { database: row['name'] ?? '', schema: row['place'] ?? '' };
}

/** Groups the tables by the rights that they need. */
function tablesByVerbs(options: GrantsOptions): SqlGrantsOptions['tables'] {
  const { dialect, resources, lookedAt } = options;
  const own = ownTableRights(dialect, followsLog(options));
  const shown = lookedAt.map((table): TableRights => ({ table, verbs: ['select'] }));
  const byVerbs = new Map<string, string[]>();
  for (const { table, verbs } of merged([
    ...own,
    ...resourceRights(dialect, resources),
    ...shown,
  ])) {
    const list = verbs.join(', ');
    byVerbs.set(list, [...(byVerbs.get(list) ?? []), table]);
  }
  return [...byVerbs].map(([verbs, tables]) => ({ verbs, tables }));
}

/** The tables that triggers are to be put on, quoted. */
const capturedTables = (dialect: SqlDialect, resources: readonly Resource[]): string[] => [
  ...new Set(
    resourceRights(dialect, resources)
      .filter(({ kind }) => kind !== 'cascade')
      .map(({ table }) => table),
  ),
];

const followsLog = ({ config }: GrantsOptions): boolean => config.changeLog.mode === 'on';

/** The cache's user. It may use all channels, because Redis compares the patterns of channels as plain texts. */
function cacheUser({ account, config, resources }: GrantsOptions): string {
  const templates = resources.flatMap(({ cacheKey, invalidates }) => [cacheKey, ...invalidates]);
  const prefixes = new Set(['lockstep:', ...templates.map(({ prefix }) => prefix)]);
  const used = {
    hasLocal: resources.some(isLocal),
    waitReplicas: config.cache.waitReplicas,
    isRedisCluster: config.cache.mode === 'cluster',
  };
  return redisUser(account, [...prefixes], '&*', redisCommands('cache', used));
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
