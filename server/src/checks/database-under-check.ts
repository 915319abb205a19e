import type { Config } from '../config/index.ts';
import type { Database } from '../database/index.ts';
import type { Resource } from '../domain/index.ts';
import type { AccountFacts } from '../rights/index.ts';
import type { CheckResult } from './check-result.ts';
import { ACCOUNT as SQL } from './statements.ts';

/** What the server reports about itself and the account. */
export interface ServerFacts extends AccountFacts {
  /** `PostgreSQL`, `MariaDB`, `MySQL`. */
  product: string;
  /** `15.4` */
  version: string;
  /** PostgreSQL: whether it is a standby. */
  isStandby: boolean;
  isReadOnly: boolean;
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
  const { rights } = database.sql.dialect;
  const [, major = '0', minor = '0'] = /(\d+)\.(\d+)/.exec(text) ?? [];
  const isTrue = (name: string): boolean => row[name] === 't' || row[name] === '1';
  return {
    product: rights.product(text),
    version: `${major}.${minor}`,
    isStandby: isTrue('is_standby'),
    isReadOnly: isTrue('is_read_only'),
    grantee: rights.grantee(row['account'] ?? ''),
    ownSchema: row['own_schema'] ?? '',
    mayCreate: isTrue('may_create'),
  };
}
