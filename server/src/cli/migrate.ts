import { CliFailure } from './cli-failure.ts';
import type { CliPorts, CommonOptions } from './ports.ts';
import { configOf, openForCommand, serverUrls } from './servers.ts';

/** Applies, takes back or shows the migrations of Lockstep's own tables. */
export async function runMigrate(
  direction: 'up' | 'down' | 'status',
  options: CommonOptions,
  ports: CliPorts,
): Promise<void> {
  const config = await configOf(options, ports);
  const urls = await serverUrls(config, options.dataDir);
  if (urls.database === null) {
    throw new CliFailure(
      `the embedded database in ${options.dataDir} does not run; start applies migrations to it by itself`,
    );
  }
  const database = openForCommand(config.database, urls.database, ports);
  try {
    const { migrations } = database;
    if (direction === 'up') print('applied', await migrations.up(), options, ports);
    else if (direction === 'down') print('reverted', await migrations.down(), options, ports);
    else {
      const status = await migrations.status();
      if (options.json) return ports.out(JSON.stringify(status));
      for (const name of status.applied) ports.out(`applied  ${name}`);
      for (const name of status.pending) ports.out(`pending  ${name}`);
    }
  } finally {
    await database.close();
  }
}

function print(
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
