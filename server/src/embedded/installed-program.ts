import { spawnSync } from 'node:child_process';
import { join } from 'node:path';

/** Where package managers put servers that a user's PATH may lack. */
const USUAL_FOLDERS = [
  '/usr/local/bin',
  '/usr/bin',
  '/usr/local/sbin',
  '/usr/sbin',
  '/opt/homebrew/bin',
];

/** An installed program: how to call it, and its version. */
export interface InstalledProgram {
  command: string;
  /** The first line that `--version` prints. */
  version: string;
}

/** Finds the first of these programs on the PATH or in the usual folders, by asking it for its version. */
export function findProgram(names: readonly string[]): InstalledProgram | undefined {
  const places = (name: string): string[] => [
    name,
    ...USUAL_FOLDERS.map((folder) => join(folder, name)),
  ];
  for (const command of names.flatMap(places)) {
    const { status, stdout } = spawnSync(command, ['--version'], { encoding: 'utf8' });
    if (status === 0) return { command, version: stdout.split('\n', 1)[0] ?? '' };
  }
  return undefined;
}

/**
 * The command of the system's Redis or Valkey server, version 7 or newer.
 * @throws Error naming the command to type when there is none.
 */
export function findRedisServer(): string {
  const found = findProgram(['redis-server', 'valkey-server']);
  if (found === undefined) {
    throw new Error(
      'No redis-server or valkey-server on the PATH; install one: apt-get install redis-server',
    );
  }
  const major = Number(/v=(\d+)/.exec(found.version)?.[1] ?? 0);
  if (major < 7) {
    throw new Error(`${found.command} is too old (${found.version}); Redis 7 or Valkey is needed`);
  }
  return found.command;
}
