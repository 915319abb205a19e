import { mkdirSync } from 'node:fs';
import { dirname } from 'node:path';
import { destination, pino } from 'pino';
import type { Log } from './ports.ts';

/** A structured log of JSON lines, to a file or to standard error. */
export function createLog(
  level: 'debug' | 'info' | 'warn' | 'error' | 'silent',
  file: string | null,
): Log {
  if (file === null) return pino({ level, base: null }, destination({ fd: 2, sync: true }));
  mkdirSync(dirname(file), { recursive: true, mode: 0o700 });
  return pino(
    { level, base: null },
    destination({ dest: file, sync: false, minLength: 0, mode: 0o600 }),
  );
}
