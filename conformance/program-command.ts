import { join } from 'node:path';

const TSCONFIG = join(import.meta.dirname, 'tsconfig.run.json');

/** The command line that runs a TypeScript program of this package. */
export function programCommand(file: string, ...args: readonly string[]): string {
  const words = [process.execPath, '--import', import.meta.resolve('tsx'), file, ...args];
  return `TSX_TSCONFIG_PATH=${[TSCONFIG, ...words].map(quoted).join(' ')}`;
}

const quoted = (word: string): string => `'${word.replaceAll("'", String.raw`'\''`)}'`;
