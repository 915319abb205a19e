import { writeRuntimeFile } from '../embedded/index.ts';
import type { Tokens } from '../config/index.ts';
import type { Servers } from './servers.ts';

interface Published {
  dataDir: string;
  tokens: Tokens;
  configFile: string | null;
  hasDemo: boolean;
  servers: Servers;
  url: string;
}

/** Writes `runtime.json`. @param workers those that serve; empty if this process serves by itself */
export function publishRuntime(
  { dataDir, tokens, configFile, hasDemo, servers, url }: Published,
  workers: readonly { slot: number; pid: number; address: string }[] = [],
): Promise<void> {
  const { databaseUrl, cacheUrl, lockUrls, embedded } = servers;
  const processes = workers.map(({ slot, pid, address }) => ({
    ...{ name: `worker-${slot + 1}`, pid, port: Number(new URL(address).port) },
  }));
  return writeRuntimeFile(dataDir, {
    url,
    pid: process.pid,
    databaseUrl,
    cacheUrl,
    lockUrls: [...lockUrls],
    adminToken: tokens.admin,
    serviceToken: tokens.service,
    processes: [...(embedded?.processes() ?? []), ...processes],
    configFile,
    demo: hasDemo,
  });
}
