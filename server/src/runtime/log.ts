import { createHmac, randomBytes } from 'node:crypto';
import { mkdirSync } from 'node:fs';
import { dirname } from 'node:path';
import { destination, pino } from 'pino';
import { shownError } from './log-error.ts';
import type { Log } from './ports.ts';

/** Known only to this process; otherwise a reader of the log could try e-mail addresses until one matches. */
const KEY_SECRET = randomBytes(32);

/**
 * A structured log of JSON lines, to a file or to standard error. It holds no row's values: keys stand in it as
 * digests, alike for the same key of one process, and errors without their texts, which quote values and statements.
 */
export function createLog(
  level: 'debug' | 'info' | 'warn' | 'error' | 'silent',
  file: string | null,
): Log {
  const options = { level, base: null, serializers: SERIALIZERS };
  if (file === null) return pino(options, destination({ fd: 2, sync: true }));
  mkdirSync(dirname(file), { recursive: true, mode: 0o700 });
  return pino(options, destination({ dest: file, sync: false, minLength: 0, mode: 0o600 }));
}

const keyDigest = (key: unknown): string =>
  `#${createHmac('sha256', KEY_SECRET).update(String(key)).digest('hex').slice(0, 12)}`;

const SERIALIZERS = {
  err: shownError,
  error: (error: unknown) => (error instanceof Error ? shownError(error) : undefined),
  key: keyDigest,
  lockKey: keyDigest,
  cacheKey: keyDigest,
};
