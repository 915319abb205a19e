import { open, readFile } from 'node:fs/promises';
import { resolve } from 'node:path';
import {
  configText,
  hasSecret,
  type NamedServers,
  type Proposal,
  propose,
} from '../adoption/index.ts';
import { completeUrl } from '../config/index.ts';
import { CliFailure } from './cli-failure.ts';
import type { CliPorts } from './ports.ts';

export interface InitCommandOptions {
  database?: string;
  redis?: string;
  out: string;
  force: boolean;
  json: boolean;
}

/** A file that holds a password is its owner's only. */
const MODE = { secret: 0o600, plain: 0o644 };
/** How many lines about tables that are left out are printed; the file has all of them. */
const SHOWN = 10;

/**
 * Writes a configuration that fits the database and the cache.
 * @throws CliFailure where the file is there, or no database is named
 */
export async function runInit(options: InitCommandOptions, ports: CliPorts): Promise<void> {
  const file = resolve(ports.cwd, options.out);
  if (!options.force && (await isThere(file))) throw alreadyThere(file);
  const database = await address(options.database, 'LOCKSTEP_DATABASE_CONNECTION', ports);
  const cache = await address(options.redis, 'LOCKSTEP_CACHE_URL', ports);
  if (database === null) {
    throw new CliFailure(
      'no database is named; give --database URL, or set LOCKSTEP_DATABASE_CONNECTION',
    );
  }
  const locks = await lockAddresses(cache, ports);
  const servers = { database: database.url, cache: cache?.url ?? null, locks: locks.urls };
  const proposal = await propose(await complete(servers, ports.cwd), ports.runtime);
  const text = configText(proposal, {
    ...{ servers, file: options.out, database: database.source, locks: locks.source },
    cache: cache?.source ?? 'file',
  });
  const written = [
    ...(database.source === 'file' ? [database.url] : []),
    ...(cache?.source === 'file' ? [cache.url] : []),
    ...(locks.source === 'file' ? locks.urls : []),
  ];
  const isSecret = written.some(hasSecret);
  await write(file, text, { isSecret, force: options.force });
  print(proposal, options, ports, file);
}

/** With the files that URLs name. The configuration that is written names the files itself. */
async function complete(servers: NamedServers, cwd: string): Promise<NamedServers> {
  const { database, cache, locks } = servers;
  return {
    database: await completeUrl(database, '--database', cwd),
    cache: cache === null ? null : await completeUrl(cache, '--redis', cwd),
    locks: await Promise.all(locks.map((url) => completeUrl(url, 'LOCKSTEP_LOCKS_NODES', cwd))),
  };
}

interface Address {
  url: string;
  source: 'file' | 'environment';
}

/** From the command line, else from the environment, which the file then leaves it to. */
async function address(
  given: string | undefined,
  variable: string,
  { env, cwd }: CliPorts,
): Promise<Address | null> {
  if (given !== undefined) return { url: given, source: 'file' };
  const named = env[`${variable}_FILE`];
  const url =
    env[variable] ??
    (named === undefined ? undefined : (await readFile(resolve(cwd, named), 'utf8')).trim());
  return url === undefined ? null : { url, source: 'environment' };
}

/** Those of the environment, else the cache's server. */
async function lockAddresses(
  cache: Address | null,
  ports: CliPorts,
): Promise<{ urls: string[]; source: Address['source'] }> {
  const named = await address(undefined, 'LOCKSTEP_LOCKS_NODES', ports);
  if (named === null) return { urls: cache === null ? [] : [cache.url], source: 'file' };
  return { urls: named.url.split(',').map((url) => url.trim()), source: 'environment' };
}

async function isThere(file: string): Promise<boolean> {
  return readFile(file).then(
    () => true,
    (error: NodeJS.ErrnoException) => error.code !== 'ENOENT',
  );
}

const alreadyThere = (file: string): CliFailure =>
  new CliFailure(`${file} is there already; --force replaces it, --out names another`);

async function write(
  file: string,
  text: string,
  { isSecret, force }: { isSecret: boolean; force: boolean },
): Promise<void> {
  const mode = isSecret ? MODE.secret : MODE.plain;
  const handle = await open(file, force ? 'w' : 'wx', mode).catch(
    (error: NodeJS.ErrnoException) => {
      throw error.code === 'EEXIST' ? alreadyThere(file) : error;
    },
  );
  try {
    // A file that is replaced keeps its mode otherwise.
    if (isSecret) await handle.chmod(mode);
    await handle.writeFile(text);
  } finally {
    await handle.close();
  }
}

function print(
  { resources, leftOut, sample, faults, warnings }: Proposal,
  { json, out }: InitCommandOptions,
  ports: CliPorts,
  file: string,
): void {
  const sampled = sample === null ? null : { keys: sample.keys.length, of: sample.total };
  if (json) {
    const proposed = resources.map(
      ({ name, table, key, columns, cacheKey, format, ttlMs, invalidates }) => ({
        ...{ name, table, key, columns, cacheKey, format, ttlMs, invalidates },
      }),
    );
    ports.out(JSON.stringify({ file, resources: proposed, leftOut, sampled, faults, warnings }));
    return;
  }
  for (const { table, why } of leftOut.slice(0, SHOWN)) ports.out(`left out: ${table} ${why}`);
  if (leftOut.length > SHOWN) ports.out(`left out: ${leftOut.length - SHOWN} more, see the file`);
  for (const fault of faults) ports.out(`to be mended: ${fault}`);
  for (const warning of warnings) ports.out(`warning: ${warning}`);
  const keys = sampled === null ? '' : `, ${sampled.keys} of ${sampled.of} keys looked at`;
  ports.out(`${out}: ${resources.length} resource(s), ${leftOut.length} left out${keys}`);
  ports.out(`next: lockstep doctor --config ${out}`);
}
