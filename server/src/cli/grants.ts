import { publicationFor } from '../changelog/index.ts';
import { type Grants, grantsFor, readPlace } from '../checks/index.ts';
import type { DatabaseConfig } from '../config/index.ts';
import { CliFailure } from './cli-failure.ts';
import type { CliPorts, CommonOptions } from './ports.ts';
import { configuredServers, connectionOf, withResources } from './servers.ts';

export interface GrantsCommandOptions {
  /** Whose rights; default: the user of `database.connection`. */
  account?: string;
  /** A URL of an administrator, who may look at the tables; default: `database.connection`. */
  connection?: string;
}

const TITLES: Readonly<Record<keyof Grants, string>> = {
  migrate: '-- the database: to migrate Lockstep’s own tables (lockstep migrate up)',
  run: '-- the database: to run, once they are migrated',
  changeLog: '-- the database: to follow the change log',
  capture: '-- the database: to install capture triggers (lockstep capture install)',
  invalidate:
    '-- the database: for each SERVICE that calls lockstep_invalidate or lockstep_guard in its own transactions',
  cache: '# the cache',
  locks: '# each lock node',
};

/** Prints the rights that the configuration needs. Changes nothing. */
export async function runGrants(
  options: CommonOptions & GrantsCommandOptions,
  ports: CliPorts,
): Promise<void> {
  const { config, urls } = await configuredServers(options, ports);
  const url = await connectionOf(options, urls.database, ports);
  if (url === null) {
    throw new CliFailure('the embedded database has one account of its own, which may everything');
  }
  await withResources(config, url, ports, async ({ resources, lookedAt }, database) => {
    const { changeLog } = config;
    const publication =
      changeLog.mode === 'on' ? await publicationFor(database.sql, changeLog, resources) : null;
    const account = options.account ?? userOf(config.database, url);
    const grants = grantsFor({
      ...{ account, config, resources, lookedAt, publication },
      ...(await readPlace(database.sql)),
      dialect: database.sql.dialect,
    });
    print(grants, options, ports);
  });
}

function userOf(database: DatabaseConfig, url: string): string {
  const own = database.mode === 'external' ? database.connection : url;
  return decodeURIComponent(new URL(own).username);
}

function print(grants: Grants, { json }: CommonOptions, ports: CliPorts): void {
  if (json) return ports.out(JSON.stringify(grants));
  for (const name of Object.keys(TITLES) as (keyof Grants)[]) {
    if (grants[name].length > 0) ports.out([TITLES[name], ...grants[name]].join('\n'));
  }
}
