/**
 * A Redis server's own record of the commands that it carries out (MONITOR), on a bare connection: ioredis's monitor
 * takes the first commands for the answer to its greeting where both arrive at once.
 */
import { connect, type Socket } from 'node:net';
import { createInterface } from 'node:readline';
import type { Redis } from 'ioredis';

export interface RecordedCommand {
  /** By the server's clock. */
  atSeconds: number;
  /** `lua` for a script's inner command, else the caller's `host:port`. */
  source: string;
  /** As the server writes them: escaped. */
  words: string[];
}

const RETRY_MS = 100;
const LINE = /^\+(\d+\.\d+) \[\d+ ([^\]]+)\] (.*)$/;
const WORD = /"((?:[^"\\]|\\.)*)"/g;

/** Follows the record of the server that `redis` is connected to, also over its restarts, until `signal` aborts. */
export function followCommands(
  redis: Redis,
  signal: AbortSignal,
  onCommand: (command: RecordedCommand) => void,
): Promise<void> {
  return new Promise((begun) => {
    const follow = (): void => {
      if (signal.aborted) return;
      const socket = openMonitor(redis);
      const stop = (): void => void socket.destroy();
      signal.addEventListener('abort', stop, { once: true });
      createInterface({ input: socket }).on('line', (line) => {
        if (line === '+OK') begun();
        const command = commandOf(line);
        if (command !== null && !signal.aborted) onCommand(command);
      });
      socket.on('error', () => undefined); // a server that was killed has no record to follow
      socket.on('close', () => {
        signal.removeEventListener('abort', stop);
        if (!signal.aborted) setTimeout(follow, RETRY_MS);
      });
    };
    follow();
  });
}

function openMonitor({ options }: Redis): Socket {
  const socket = connect(options.port ?? 6379, options.host ?? '127.0.0.1');
  const { username, password } = options;
  const login = password ? [encoded('AUTH', ...(username ? [username] : []), password)] : [];
  socket.write([...login, encoded('MONITOR')].join(''));
  return socket;
}

const encoded = (...words: string[]): string =>
  `*${words.length}\r\n${words.map((word) => `$${Buffer.byteLength(word)}\r\n${word}\r\n`).join('')}`;

function commandOf(line: string): RecordedCommand | null {
  const [, time, source, rest] = LINE.exec(line) ?? [];
  if (time === undefined || source === undefined || rest === undefined) return null;
  const words = [...rest.matchAll(WORD)].map(([, word = '']) => word);
  return { atSeconds: Number(time), source, words };
}
