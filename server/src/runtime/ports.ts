/**
 * What the engine needs of the world around it. The clock, timers, randomness and ids come only from here, so that
 * the whole engine can run under a seeded scheduler.
 */

/** A monotonic clock: it measures durations and says nothing about the time of day. */
export interface Clock {
  /** Milliseconds since some fixed moment of this process. */
  nowMs(): number;
  /** Wall-clock time for people to read (logs, live events); no decision depends on it. Milliseconds since the epoch. */
  wallMs(): number;
}

/** A running timer. */
export interface Timer {
  cancel(): void;
}

export interface Timers {
  /** Calls `run` once after `delayMs`. The timer never keeps the process alive. */
  after(delayMs: number, run: () => void): Timer;
  /** Calls `run` once the events that are at hand have been handled. */
  soon(run: () => void): void;
  /** Resolves after `delayMs`, or at once when `signal` aborts (it never rejects). */
  sleep(delayMs: number, signal?: AbortSignal): Promise<void>;
}

export interface Random {
  /** Uniform in [0, 1). */
  next(): number;
}

export interface Ids {
  /** A new unguessable id, safe in a URL. */
  next(): string;
}

/** Structured log, the shape of pino. */
export interface Log {
  debug(fields: object, message: string): void;
  info(fields: object, message: string): void;
  warn(fields: object, message: string): void;
  error(fields: object, message: string): void;
}

export interface Runtime {
  clock: Clock;
  timers: Timers;
  random: Random;
  ids: Ids;
  log: Log;
}
