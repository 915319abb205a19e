import { readFileSync } from 'node:fs';
import { join } from 'node:path';

/** What a running instance says of itself in its data folder (`runtime.json`). */
export interface RuntimeFile {
  url: string;
  pid: number;
  databaseUrl: string;
  cacheUrl: string;
  lockUrls: string[];
  adminToken: string;
  serviceToken: string;
  processes: { name: string; pid: number; port: number }[];
}

/** The part that a server plays; lock nodes are numbered from 0. */
export type ServerRole = 'database' | 'cache' | `lock-${number}`;

export function runtimeFilePath(dataDir: string): string {
  return join(dataDir, 'runtime.json');
}

/** @throws Error where the file is not there or not whole */
export function readRuntimeFile(dataDir: string): RuntimeFile {
  return JSON.parse(readFileSync(runtimeFilePath(dataDir), 'utf8')) as RuntimeFile;
}

/** URL of the server that plays this part. */
export function serverUrl(runtime: RuntimeFile, role: ServerRole): string {
  if (role === 'database') return runtime.databaseUrl;
  if (role === 'cache') return runtime.cacheUrl;
  const url = runtime.lockUrls[Number(role.slice('lock-'.length))];
  if (url === undefined)
    throw new Error(`There is no ${role}; there are ${runtime.lockUrls.length} lock nodes`);
  return url;
}

/** Process id of the embedded server that plays this part: the one that listens on its URL's port. */
export function serverPid(runtime: RuntimeFile, role: ServerRole): number {
  const port = Number(new URL(serverUrl(runtime, role)).port);
  const found = runtime.processes.find((process) => process.port === port);
  if (found === undefined)
    throw new Error(`runtime.json names no process for ${role} (port ${port})`);
  return found.pid;
}
