import {
  captureStatus,
  installCapture,
  type TableCapture,
  uninstallCapture,
} from '../capture/index.ts';
import type { Database } from '../database/index.ts';
import type { Resource } from '../domain/index.ts';
import { CliFailure } from './cli-failure.ts';
import type { CliPorts, CommonOptions } from './ports.ts';
import { configuredServers, connectionOf, withResources } from './servers.ts';

export interface CaptureOptions {
  /** Names of resources; absent: all. */
  resource?: readonly string[];
  /** The URL of an account that may change the tables; default: `database.connection`. */
  connection?: string;
}

type Task = (
  database: Database,
  resources: readonly Resource[],
  only: readonly string[] | null,
) => Promise<number>;

/** `lockstep capture status`: one line for each table and resource. Answers 1 if a trigger is missing or outdated. */
export async function runCaptureStatus(
  options: CommonOptions & CaptureOptions,
  ports: CliPorts,
): Promise<number> {
  return withTables(options, ports, async ({ sql }, resources, only) => {
    const tables = (await captureStatus(sql, resources)).filter((each) => isChosen(each, only));
    if (options.json) ports.out(JSON.stringify({ tables }));
    else for (const line of tables.flatMap((table) => linesOf(table, only))) ports.out(line);
    return exitCode(tables);
  });
}

/** `lockstep capture install`. Answers 1 if something is not as it should be afterwards. */
export async function runCaptureInstall(
  options: CommonOptions & CaptureOptions,
  ports: CliPorts,
): Promise<number> {
  return withTables(options, ports, async ({ sql }, resources, only) => {
    const { tables, changed } = await installCapture(sql, resources, only);
    if (options.json) ports.out(JSON.stringify({ tables, changed }));
    else for (const line of tables.flatMap((table) => linesOf(table, only))) ports.out(line);
    return exitCode(tables);
  });
}

/** `lockstep capture uninstall`: removes capture triggers and nothing else. */
export async function runCaptureUninstall(
  options: CommonOptions & CaptureOptions,
  ports: CliPorts,
): Promise<number> {
  return withTables(options, ports, async ({ sql }, resources, only) => {
    const removed = await uninstallCapture(sql, resources, only);
    if (options.json) ports.out(JSON.stringify({ removed }));
    else if (removed.length === 0) ports.out('no capture trigger is installed');
    else for (const name of removed) ports.out(`${name}: removed`);
    return 0;
  });
}

async function withTables(
  options: CommonOptions & CaptureOptions,
  ports: CliPorts,
  task: Task,
): Promise<number> {
  const { config, urls } = await configuredServers(options, ports);
  const only = options.resource ?? null;
  const names = config.resources.map(({ name }) => name);
  const unknown = only?.find((name) => !names.includes(name));
  if (unknown !== undefined)
    throw new CliFailure(`no resource ${unknown} is configured; allowed: ${names.join(', ')}`);
  const url = await connectionOf(options, urls.database, ports);
  if (config.database.mode === 'embedded' || url === null)
    throw new CliFailure(
      'triggers are for an external database; the change log of the embedded one can be followed',
    );
  let code = 0;
  await withResources(config, url, ports, async ({ resources }, database) => {
    code = await task(database, resources, only);
  });
  return code;
}

const isChosen = ({ resources }: TableCapture, only: readonly string[] | null): boolean =>
  only === null || resources.some((name) => only.includes(name));

function linesOf(
  { table, resources, state, reason, unseen }: TableCapture,
  only: readonly string[] | null,
): string[] {
  const why = reason === null ? '' : ` (${reason})`;
  const blind = unseen.length === 0 ? '' : `; ${unseen.join('; ')}`;
  return resources
    .filter((name) => only === null || only.includes(name))
    .map((name) => `${name}: ${state} on ${table}${why}${blind}`);
}

const exitCode = (tables: readonly TableCapture[]): number =>
  tables.every(({ state }) => state === 'installed') ? 0 : 1;
