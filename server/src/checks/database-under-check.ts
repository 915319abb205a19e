import type { Config } from '../config/index.ts';
import { type Database, type DatabaseClient, quoteName } from '../database/index.ts';
import type { Resource } from '../domain/index.ts';
import type { CheckResult } from './check-result.ts';
import { CATALOG as SQL } from './statements.ts';

export type Product = 'PostgreSQL' | 'MariaDB' | 'MySQL';

/** What the server reports about itself and the account. */
export interface ServerFacts {
  product: Product;
  /** `15.4` */
  version: string;
  /** PostgreSQL: whether it is a standby. */
  isStandby: boolean;
  isReadOnly: boolean;
  /** The account as it is written in a grant. */
  grantee: string;
  /** PostgreSQL: the schema for Lockstep's tables; empty if there is none. MySQL: the database. */
  ownSchema: string;
  /** PostgreSQL: whether the account may create tables there. */
  mayCreate: boolean;
}

/** A database that answers, with everything that a check needs. */
export interface DatabaseUnderCheck {
  /** The configuration's field that names it. */
  path: string;
  /** With credentials. */
  url: string;
  config: Config;
  database: Database;
  server: ServerFacts;
  /** The bound resources, without those that have a fault. */
  resources: readonly Resource[];
  /** See `bindResources`. */
  withoutStorage: readonly string[];
  /** Opens another server of the same kind; the caller closes it. */
  readonly open: (url: string) => Database;
}

/** One check of a database. `DATABASE_CHECKS` lists them; `check` and `start` make all of them. */
export type DatabaseCheck = (
  context: DatabaseUnderCheck,
) => Partial<CheckResult> | Promise<Partial<CheckResult>>;

export async function serverFacts(database: Database): Promise<ServerFacts> {
  const [row = {}] = (await database.sql.run(SQL['describe-server'])).rows;
  const text = row['version'] ?? '';
  const [, major = '0', minor = '0'] = /(\d+)\.(\d+)/.exec(text) ?? [];
  const isTrue = (name: string): boolean => row[name] === 't' || row[name] === '1';
  return {
    product: productOf[database.client](text),
    version: `${major}.${minor}`,
    isStandby: isTrue('is_standby'),
    isReadOnly: isTrue('is_read_only'),
    grantee: granteeOf[database.client](row['account'] ?? ''),
    ownSchema: row['own_schema'] ?? '',
    mayCreate: isTrue('may_create'),
  };
}

const productOf: Readonly<Record<DatabaseClient, (version: string) => Product>> = {
  pg: () => 'PostgreSQL',
  mysql2: (version) => (/mariadb/i.test(version) ? 'MariaDB' : 'MySQL'),
};

const granteeOf: Readonly<Record<DatabaseClient, (account: string) => string>> = {
  pg: (account) => quoteName('pg', account),
  mysql2: (account) =>
    account
      .split('@')
      .map((part) => `'${part}'`)
      .join('@'),
};
