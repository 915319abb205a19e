import { randomBytes } from 'node:crypto';
import type { Log, Runtime, Timer } from './ports.ts';

/** The real clock, timers, randomness and ids. */
export function systemRuntime(log: Log): Runtime {
  return {
    clock: { nowMs: () => performance.now(), wallMs: () => Date.now() },
    timers: { after, soon: (run) => void setImmediate(run), sleep },
    random: { next: () => Math.random() },
    ids: { next: () => randomBytes(12).toString('base64url') },
    log,
  };
}

function after(delayMs: number, run: () => void): Timer {
  const handle = setTimeout(run, delayMs);
  handle.unref();
  return { cancel: () => clearTimeout(handle) };
}

function sleep(delayMs: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal?.aborted) return resolve();
    const done = (): void => {
      timer.cancel();
      signal?.removeEventListener('abort', done);
      resolve();
    };
    const timer = after(delayMs, done);
    signal?.addEventListener('abort', done, { once: true });
  });
}
