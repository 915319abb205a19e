import { accessSync, constants } from 'node:fs';
import { delimiter, join } from 'node:path';

const NAMES = ['redis-server', 'valkey-server'];
/** Where package managers put servers that a user's PATH may lack. */
const USUAL_FOLDERS = ['/usr/local/bin', '/usr/bin', '/usr/local/sbin', '/usr/sbin', '/opt/homebrew/bin'];

/**
 * The absolute path of the system's Redis or Valkey server.
 * @throws Error naming the command to type when there is none.
 */
export function findRedisBinary(): string {
  const found = findProgram(NAMES);
  if (found === undefined) {
    throw new Error('redis-server is not installed; run: npm run setup (or: apt-get install redis-server)');
  }
  return found;
}

/** The absolute path of the first of these programs that is installed. */
export function findProgram(names: readonly string[]): string | undefined {
  const folders = [...searchPath().split(delimiter).filter(Boolean), ...USUAL_FOLDERS];
  for (const name of names) {
    for (const folder of folders) {
      const path = join(folder, name);
      if (isExecutable(path)) return path;
    }
  }
  return undefined;
}

function searchPath(): string {
  return process.env['PATH'] ?? '';
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}
