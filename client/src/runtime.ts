/**
 * Where everything that the client decides gets its time, timers and randomness, so that it can run in a simulation.
 * Only what connects to real servers (`transport.ts`, `redis-connection.ts`, `direct-reads.ts`,
 * `invalidation-connection.ts`) and `lease.ts` have their own.
 */
import { randomBytes } from 'node:crypto';
import { nowMs } from './clock.ts';

/** A timer that runs. */
export interface Timer {
  cancel(): void;
}

export interface ClientRuntime {
  /** A monotonic clock, in ms. */
  nowMs(): number;
  /** Calls `run` once after `delayMs`. */
  after(delayMs: number, run: () => void): Timer;
  /** The same for work that nobody waits for: it does not keep the process alive. */
  inBackground(delayMs: number, run: () => void): Timer;
  /** Calls `run` at the end of this tick. */
  soon(run: () => void): void;
  /** Uniform in [0, 1). */
  random(): number;
  /** A new id that nobody can guess. */
  newId(): string;
}

const ID_BYTES = 12;

/** This process's own clock, timers and randomness. */
export const PROCESS_RUNTIME: ClientRuntime = {
  nowMs,
  after: (delayMs, run) => timerOf(setTimeout(run, delayMs)),
  inBackground: (delayMs, run) => timerOf(setTimeout(run, delayMs).unref()),
  soon: (run) => void setImmediate(run),
  random: Math.random,
  newId: () => randomBytes(ID_BYTES).toString('base64url'),
};

const timerOf = (timeout: NodeJS.Timeout): Timer => ({ cancel: () => clearTimeout(timeout) });
