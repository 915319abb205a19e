import { mkdir, readdir, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Ownership } from './leftovers.ts';
import type { ListedProcess } from './processes.ts';
import { pingRedis } from './redis-ping.ts';
import type { ServerSpec } from './supervised-server.ts';

/** Where and how one embedded Redis runs. */
export interface RedisPlace {
  /** `cache`, `lock-1`, …: also the name of its folder within the data folder. */
  name: string;
  dataDir: string;
  port: number;
  password: string;
  /** The program, as `findRedisServer` names it. */
  command: string;
}

const CACHE_RESTART_DELAY_MS = 3_000;

/**
 * The cache keeps its data in an append-only file.
 *
 * `appendfsync no` hands every command to the kernel before its reply is sent, so a killed Redis loses nothing that was
 * acknowledged. (With `everysec`, Redis keeps commands in its own memory while an fsync is in flight, and a kill loses
 * them; a write intent among them would break the promise of `strict`.) A crash of the whole machine may lose the last
 * seconds, so after one the cache is emptied at the next start, see `emptyCache`.
 *
 * `volatile-lru` never evicts keys without expiry, which write intents are.
 */
const CACHE_SETTINGS = {
  appendonly: 'yes',
  appendfsync: 'no',
  'aof-load-truncated': 'yes',
  maxmemory: '256mb',
  'maxmemory-policy': 'volatile-lru',
};

/** Lock nodes keep nothing: a lock that outlived its node's memory would be granted twice or never released. */
const LOCK_SETTINGS = {
  appendonly: 'no',
  maxmemory: '64mb',
  'maxmemory-policy': 'noeviction',
};

/** The embedded cache. */
export function cacheServer(place: RedisPlace): ServerSpec {
  return redisServer(place, CACHE_SETTINGS, CACHE_RESTART_DELAY_MS);
}

/**
 * An embedded lock node. One that died has forgotten its locks, so it comes back only when every lock that it may have
 * granted has expired ("delayed restarts" in Redis's description of the Redlock algorithm).
 */
export function lockServer(place: RedisPlace, lockTtlMs: number): ServerSpec {
  return redisServer(place, LOCK_SETTINGS, lockTtlMs);
}

function redisServer(
  place: RedisPlace,
  settings: Record<string, string>,
  restartDelayMs: number,
): ServerSpec {
  const { name, dataDir, port, password, command } = place;
  const folder = join(dataDir, name);
  const configPath = join(folder, 'redis.conf');
  return {
    name,
    port,
    folder,
    logPath: join(dataDir, 'logs', `${name}.log`),
    ownership: redisOwnership(configPath),
    stopSignal: 'SIGTERM',
    restartDelayMs,
    prepare: () => writeFile(configPath, configText(port, password, settings), { mode: 0o600 }),
    launch: () => ({ command, args: [configPath] }),
    ping: () => pingRedis(port, password),
  };
}

function configText(port: number, password: string, settings: Record<string, string>): string {
  const common = {
    port: String(port),
    bind: '127.0.0.1',
    'protected-mode': 'yes',
    requirepass: password,
    dir: './',
    daemonize: 'no',
    supervised: 'no',
    loglevel: 'notice',
    save: '""',
    // Leftovers are recognized by the title.
    'proc-title-template': '"{title} {config-file}"',
  };
  const lines = Object.entries({ ...common, ...settings }).map(([key, value]) => `${key} ${value}`);
  return `# Written at every start.\n${lines.join('\n')}\n`;
}

/**
 * How to recognize embedded Redis processes: by the configuration file in their command line and title.
 * @param configPath the path of one server's file, or the common prefix of all paths of a data folder.
 */
export function redisOwnership(configPath: string): Ownership {
  const isOurs = ({ commandLine }: ListedProcess): boolean =>
    commandLine.includes(` ${configPath}`);
  const isNamed = ({ programs }: ListedProcess, pattern: RegExp): boolean =>
    programs.some((program) => pattern.test(program));
  return {
    isServer: (found) => isOurs(found) && isNamed(found, /^(redis|valkey)-server$/),
    isChild: (found) => isOurs(found) && isNamed(found, /^(redis|valkey)-(aof|rdb)-/),
  };
}

/**
 * Deletes the cache's data. Safe before a start: it cannot contain an entry, lease or intent of a running writer, and
 * an empty cache only costs reads.
 * @returns whether there was any.
 */
export async function emptyCache(dataDir: string): Promise<boolean> {
  const folder = join(dataDir, 'cache');
  await mkdir(folder, { recursive: true, mode: 0o700 });
  const names = (await readdir(folder)).filter((name) => name !== 'redis.conf');
  for (const name of names) await rm(join(folder, name), { recursive: true, force: true });
  return names.length > 0;
}

/** Moves data that Redis refuses to load out of the way, to be examined later. Only the last copy is kept. */
export async function setCacheAside(dataDir: string): Promise<string> {
  const aside = join(dataDir, 'cache.unreadable');
  await rm(aside, { recursive: true, force: true });
  await rename(join(dataDir, 'cache'), aside);
  await mkdir(join(dataDir, 'cache'), { mode: 0o700 });
  return aside;
}
