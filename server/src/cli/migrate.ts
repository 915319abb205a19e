import { openForChecks } from '../checks/index.ts';
import type { Config } from '../config/index.ts';
import type { Database } from '../database/index.ts';
import { CliFailure } from './cli-failure.ts';
import type { CliPorts, CommonOptions } from './ports.ts';
import { configuredServers } from './servers.ts';

/** Applies or shows the migrations of Lockstep's own tables. */
export async function runMigrate(
  direction: 'up' | 'status',
  options: CommonOptions,
  ports: CliPorts,
): Promise<void> {
  await onDatabase(options, ports, async ({ migrations }) => {
    if (direction === 'up')
      return printMigrations('applied', await migrations.up(), options, ports);
    const status = await migrations.status();
    if (options.json) return ports.out(JSON.stringify(status));
    for (const name of status.applied) ports.out(`applied  ${name}`);
    for (const name of status.pending) ports.out(`pending  ${name}`);
  });
}

/** Runs a command's work on the configured database. @throws CliFailure where it is embedded and does not run */
export async function onDatabase(
  options: CommonOptions,
  ports: CliPorts,
  work: (database: Database, config: Config) => Promise<void>,
): Promise<void> {
  const { config, urls } = await configuredServers(options, ports);
  if (urls.database === null) {
    throw new CliFailure(
      `the embedded database in ${options.dataDir} does not run; start it first (a start applies migrations by itself)`,
    );
  }
  const database = openForChecks(config.database, urls.database, ports.runtime);
  try {
    await work(database, config);
  } finally {
    await database.close();
  }
}

export function printMigrations(
  word: 'applied' | 'reverted',
  names: string[],
  options: CommonOptions,
  ports: CliPorts,
): void {
  if (options.json) ports.out(JSON.stringify({ [word]: names }));
  else if (names.length === 0)
    ports.out(word === 'applied' ? 'nothing is pending' : 'nothing is applied');
  else for (const name of names) ports.out(`${word} ${name}`);
}
