import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { pingRedis } from '../../server/src/embedded/redis-ping.ts';
import { findRedisServer } from '../../server/src/embedded/installed-program.ts';
import { startTestServer, type TestServer } from './test-server.ts';

const SENTINEL_FILE = 'sentinel.conf';

export type TestRedis = TestServer;

export interface TestRedisOptions {
  /** Further settings as on redis-server's command line, for example `['--maxmemory-policy', 'allkeys-lru']`. */
  args?: readonly string[];
  /** Asked for with AUTH, and part of the URL. Letters, digits, `-` and `_`. */
  password?: string;
  /** Runs a Sentinel with this configuration, which it changes. */
  sentinel?: string;
}

/**
 * Starts a real Redis (or Valkey) on a free loopback port. It keeps its data over `restart` (an append-only file with
 * every command handed to the kernel before the reply), unless `args` say otherwise.
 */
export function startRedis(options: TestRedisOptions = {}): Promise<TestRedis> {
  const { password, sentinel } = options;
  const persistence =
    sentinel !== undefined ? [] : ['--save', '', '--appendonly', 'yes', '--appendfsync', 'no'];
  const secret = password === undefined ? [] : ['--requirepass', password];
  return startTestServer({
    name: 'redis',
    stopSignal: 'SIGKILL',
    prepare: async (folder) => {
      if (sentinel !== undefined) await writeFile(join(folder, SENTINEL_FILE), sentinel);
    },
    launch: (folder, port) => ({
      command: findRedisServer(),
      args: [
        ...(sentinel === undefined ? [] : [join(folder, SENTINEL_FILE), '--sentinel']),
        ...['--port', String(port), '--bind', '127.0.0.1', '--dir', folder],
        ...persistence,
        ...secret,
        ...(options.args ?? []),
      ],
    }),
    url: (port) => `redis://${password === undefined ? '' : `:${password}@`}127.0.0.1:${port}`,
    ping: (port) => pingRedis(port, password),
  });
}
