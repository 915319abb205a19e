import { resolve } from 'node:path';
import { Command, InvalidArgumentError, Option } from 'commander';
import { ROLES } from '../identities/index.ts';
import { runAudit } from './audit.ts';
import {
  type CaptureOptions,
  runCaptureInstall,
  runCaptureStatus,
  runCaptureUninstall,
} from './capture.ts';
import { runCheck } from './check.ts';
import { runDemoDrift } from './demo-drift.ts';
import { runDoctor } from './doctor.ts';
import { type GrantsCommandOptions, runGrants } from './grants.ts';
import { type InitCommandOptions, runInit } from './init.ts';
import { runInspect } from './inspect.ts';
import {
  type CreateKeyOptions,
  type RotateKeyOptions,
  runKeysCreate,
  runKeysList,
  runKeysRevoke,
  runKeysRotate,
} from './keys.ts';
import { runMigrate } from './migrate.ts';
import { type MigrateDownOptions, runMigrateDown } from './migrate-down.ts';
import type { CliPorts, CommonOptions, StartOptions } from './ports.ts';
import { runScan, type ScanCommandOptions } from './scan.ts';
import { runSweep } from './sweep.ts';
import { runTypes, type TypesCommandOptions } from './types.ts';

const DEFAULT_DATA_DIR = '.lockstep';

/** The command line's grammar. Each action sets the exit code where it is not 0. */
export function buildProgram(ports: CliPorts, setExitCode: (code: number) => void): Command {
  const program = new Command('lockstep')
    .description('Write coordinator that keeps a SQL database and a Redis cache in step.')
    .version(ports.version)
    .exitOverride()
    .configureOutput({
      writeOut: (text) => ports.out(text.trimEnd()),
      writeErr: (text) => ports.err(text.trimEnd()),
    });
  addStart(program, ports, setExitCode);
  addMigrate(program, ports);
  addAdoption(program, ports, setExitCode);
  common(program.command('check'), ports)
    .description('check the configuration and every server in it; one line a fault')
    .action(async (options: CommonOptions) =>
      setExitCode(await runCheck(absolute(options, ports), ports)),
    );
  common(program.command('grants'), ports)
    .description('print the rights that the accounts in the configuration need; changes nothing')
    .option('--account <name>', 'whose; default: the user in database.connection')
    .option('--connection <url>', 'an administrator’s, to look at the tables with')
    .action((options: CommonOptions & GrantsCommandOptions) =>
      runGrants(absolute(options, ports), ports),
    );
  common(program.command('types'), ports)
    .description('write TypeScript types of the resources for @lockstep/client')
    .option('--out <file>', 'default: print them')
    .action((options: CommonOptions & TypesCommandOptions) =>
      runTypes(absolute(options, ports), ports),
    );
  common(program.command('audit'), ports)
    .description('audit a resource of the running instance now')
    .argument('<resource>')
    .addOption(new Option('--sample <n>', 'how many keys to look at').argParser(whole(1, 10_000)))
    .option('--repair', 'repair what is found', false)
    .action(
      async (resource: string, options: CommonOptions & { sample?: number; repair: boolean }) =>
        setExitCode(await runAudit(resource, absolute(options, ports), ports)),
    );
  common(program.command('inspect'), ports)
    .description('show row, entry, lock and recent events of one key')
    .argument('<resource>')
    .argument('<key>', 'as in a path: parts of a composite key joined by a comma')
    .action((resource: string, key: string, options: CommonOptions) =>
      runInspect(resource, key, absolute(options, ports), ports),
    );
  common(program.command('sweep'), ports)
    .description(
      'remove the entries of the resources from the cache, after a database was restored',
    )
    .option('--resource <name>', 'only of this one')
    .action((options: CommonOptions & { resource?: string }) =>
      runSweep(absolute(options, ports), ports),
    );
  addCapture(program, ports, setExitCode);
  addKeys(program, ports);
  addDemo(program, ports);
  return program;
}

function addStart(program: Command, ports: CliPorts, setExitCode: (code: number) => void): void {
  common(program.command('start', { isDefault: false }), ports)
    .description('run the coordinator and its dashboard until it is stopped')
    .addOption(
      new Option('--port <n>', 'port to listen on; 0 picks one').argParser(whole(0, 65_535)),
    )
    .addOption(
      new Option('--workers <n>', 'processes that serve on the port')
        .argParser(whole(1, 64))
        .default(1),
    )
    .option('--no-demo', 'without the demo’s resources and load')
    .action(async (options: CommonOptions & { port?: number; workers: number; demo: boolean }) => {
      const { config, dataDir, port, workers, demo, json } = absolute(options, ports);
      const start: StartOptions = {
        ...{ dataDir, json, workers, demo: demo && config === undefined },
      };
      if (config !== undefined) start.configFile = config;
      if (port !== undefined) start.port = port;
      setExitCode(await ports.start(start));
    });
}

function addMigrate(program: Command, ports: CliPorts): void {
  const migrate = program.command('migrate').description('Lockstep’s own tables');
  for (const [direction, description] of [
    ['up', 'apply what is pending'],
    ['down', 'take back the newest migration'],
    ['status', 'show what is applied and what is pending'],
  ] as const) {
    const command = common(migrate.command(direction), ports).description(description);
    if (direction === 'down') {
      command
        .option('--yes', 'take it back without asking', false)
        .option('--while-running', 'take it back although coordinators run', false)
        .action((options: CommonOptions & MigrateDownOptions) =>
          runMigrateDown(absolute(options, ports), ports),
        );
    } else {
      command.action((options: CommonOptions) =>
        runMigrate(direction, absolute(options, ports), ports),
      );
    }
  }
}

function addCapture(program: Command, ports: CliPorts, setExitCode: (code: number) => void): void {
  const capture = program
    .command('capture')
    .description(
      'triggers that note the changes of other programs, where no change log can be had',
    );
  for (const [name, description, run] of [
    ['install', 'put them on the tables of the resources', runCaptureInstall],
    ['status', 'one line for each table and resource; changes nothing', runCaptureStatus],
    ['uninstall', 'remove them', runCaptureUninstall],
  ] as const) {
    common(capture.command(name), ports)
      .description(description)
      .option('--resource <name...>', 'only the tables of these')
      .option('--connection <url>', 'of an account that may change the tables')
      .action(async (options: CommonOptions & CaptureOptions) =>
        setExitCode(await run(absolute(options, ports), ports)),
      );
  }
}

/** What brings Lockstep to servers that are there already. */
function addAdoption(program: Command, ports: CliPorts, setExitCode: (code: number) => void): void {
  program
    .command('init')
    .description('propose a configuration for a database and a Redis that are there already')
    .option('--database <url>', 'default: LOCKSTEP_DATABASE_CONNECTION')
    .option('--redis <url>', 'default: LOCKSTEP_CACHE_URL')
    .option('--out <file>', 'the file to write', 'lockstep.yaml')
    .option('--force', 'replace the file if it is there', false)
    .option('--json', 'print JSON', false)
    .action((options: InitCommandOptions) => runInit(options, ports));
  common(program.command('doctor'), ports)
    .description('everything that check tests and more, each finding with what mends it')
    .action(async (options: CommonOptions) =>
      setExitCode(await runDoctor(absolute(options, ports), ports)),
    );
  common(program.command('scan'), ports)
    .description(
      'compare a sample of the cache with the database; changes nothing, needs no instance',
    )
    .argument('[resource]')
    .option('--all', 'every resource that is cached', false)
    .addOption(
      new Option('--sample <n>', 'how many keys of each to look at')
        .argParser(whole(1, 10_000))
        .default(500),
    )
    .action(async (resource: string | undefined, options: CommonOptions & ScanCommandOptions) =>
      setExitCode(await runScan(resource, absolute(options, ports), ports)),
    );
}

function addKeys(program: Command, ports: CliPorts): void {
  const keys = program.command('keys').description('API keys of services and operators');
  common(keys.command('create'), ports)
    .description('make a key; its text is printed this once')
    .requiredOption('--name <name>', 'whose it is, for lists')
    .option('--scope <scopes>', 'such as read:account,write:account:eu-*; may be repeated', listed)
    .addOption(new Option('--role <role>', 'for the operators’ calls').choices(ROLES))
    .option('--expires <duration>', 'such as 90d; default: never')
    .action((options: CommonOptions & CreateKeyOptions) =>
      runKeysCreate(absolute(options, ports), ports),
    );
  common(keys.command('list'), ports)
    .description('all keys, also those that ended within 90 days; never a secret')
    .action((options: CommonOptions) => runKeysList(absolute(options, ports), ports));
  common(keys.command('rotate'), ports)
    .description('give a key another secret; the one before is valid for a while')
    .argument('<id>')
    .option('--grace <duration>', 'how long the secret before is valid, from 0s to 90d', '24h')
    .option('--expires <duration>', 'from now on; default: as before')
    .action((id: string, options: CommonOptions & RotateKeyOptions) =>
      runKeysRotate(id, absolute(options, ports), ports),
    );
  common(keys.command('revoke'), ports)
    .description('end a key with all its secrets')
    .argument('<id>')
    .action((id: string, options: CommonOptions) =>
      runKeysRevoke(id, absolute(options, ports), ports),
    );
}

const listed = (text: string, before: string[] = []): string[] => [...before, text];

function addDemo(program: Command, ports: CliPorts): void {
  const demo = program.command('demo').description('what only the demo has');
  common(demo.command('drift'), ports)
    .description('make drift on purpose, for an audit to find')
    .option('--resource <name>', 'default: the first resource that is cached')
    .addOption(new Option('--count <n>', 'how many keys').argParser(whole(1, 100)).default(5))
    .action((options: CommonOptions & { resource?: string; count: number }) =>
      runDemoDrift(absolute(options, ports), ports),
    );
}

function common(command: Command, { env }: CliPorts): Command {
  return command
    .option('--json', 'print JSON', false)
    .option(
      '--data-dir <dir>',
      'data folder of the instance',
      env['LOCKSTEP_DATA_DIR'] ?? DEFAULT_DATA_DIR,
    )
    .option('--config <file>', 'YAML, JSON or TypeScript file', env['LOCKSTEP_CONFIG']);
}

function absolute<T extends CommonOptions>(options: T, { cwd }: CliPorts): T {
  const dataDir = resolve(cwd, options.dataDir);
  return options.config === undefined
    ? { ...options, dataDir }
    : { ...options, dataDir, config: resolve(cwd, options.config) };
}

const whole =
  (min: number, max: number) =>
  (text: string): number => {
    const value = /^\d{1,9}$/.test(text) ? Number(text) : NaN;
    if (value >= min && value <= max) return value;
    throw new InvalidArgumentError(`Allowed: a whole number from ${min} to ${max}.`);
  };
