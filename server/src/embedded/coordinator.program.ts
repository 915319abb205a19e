/**
 * Does only what a coordinator does with its embedded servers, for tests that kill it.
 * `coordinator DATA_DIR LOCK_TTL_MS [INIT_SQL]` prints one JSON line when all is up.
 */
import { systemRuntime, type Log } from '../runtime/index.ts';
import { claimDataDir, removeRuntimeFile, startEmbedded, writeRuntimeFile } from './index.ts';

const [dataDir = '', lockTtlMs = '', initSql] = process.argv.slice(2);
const print = (level: string) => (fields: object, message: string) => {
  process.stderr.write(`${JSON.stringify({ level, message, ...fields })}\n`);
};
const quiet = process.env['QUIET'] === '0' ? print('info') : (): void => undefined;
const log: Log = { debug: quiet, info: quiet, warn: quiet, error: print('error') };
const runtime = systemRuntime(log);

const claim = await claimDataDir(dataDir, runtime);
await removeRuntimeFile(claim.dataDir);
const servers = await startEmbedded({
  dataDir: claim.dataDir,
  database: { initSql },
  cache: true,
  lockNodes: 3,
  lockTtlMs: Number(lockTtlMs),
  runtime,
  onProcessesChanged: () => void publish(),
});
await publish();
process.once('SIGTERM', () => void shutDown());
process.stdout.write(`${JSON.stringify({ firstStart: servers.firstStart })}\n`);

async function publish(): Promise<void> {
  await writeRuntimeFile(claim.dataDir, {
    url: 'http://127.0.0.1:1',
    pid: process.pid,
    databaseUrl: servers.databaseUrl ?? '',
    cacheUrl: servers.cacheUrl ?? '',
    lockUrls: [...servers.lockUrls],
    adminToken: 'admin',
    serviceToken: 'service',
    processes: servers.processes(),
  });
}

async function shutDown(): Promise<void> {
  await servers.stop();
  await removeRuntimeFile(claim.dataDir);
  await claim.release();
}
