import type { Log, Runtime, Timer } from '../../server/src/runtime/ports.ts';
import { SeededRandom } from '../seeded-random.ts';

/** A runtime whose time moves only when a test says so. */
export interface ManualRuntime extends Runtime {
  /** Log lines so far, oldest first. */
  readonly lines: readonly LogLine[];
  /** Timers that are set and have not run. */
  readonly pendingTimers: number;
  /**
   * Moves the clock by `ms`, running due timers in the order of their times. Before and after each one, whatever can
   * go on without time passing does so.
   */
  advance(ms: number): Promise<void>;
  /** Lets everything go on that needs no time to pass. */
  settle(): Promise<void>;
  /** Moves the clock without running timers or anything else: the process was paused. Due timers run with the next `advance`. */
  stall(ms: number): void;
  /** Advances in steps of at most `stepMs` until `done` says so. @throws Error when `limitMs` have passed */
  advanceUntil(done: () => boolean, limitMs: number, stepMs?: number): Promise<void>;
}

interface LogLine {
  level: 'debug' | 'info' | 'warn' | 'error';
  fields: object;
  message: string;
}

interface PendingTimer {
  dueMs: number;
  order: number;
  run: () => void;
}

/** @param seed of the randomness; the same seed gives the same run. */
export function manualRuntime(seed = 1): ManualRuntime {
  const timers = new Set<PendingTimer>();
  const lines: LogLine[] = [];
  const random = new SeededRandom(seed);
  let nowMs = 0;
  let order = 0;
  let lastId = 0;

  const after = (delayMs: number, run: () => void): Timer => {
    const timer = { dueMs: nowMs + Math.max(0, delayMs), order: order++, run };
    timers.add(timer);
    return { cancel: () => timers.delete(timer) };
  };
  const advance = async (ms: number): Promise<void> => {
    const untilMs = nowMs + ms;
    await settle();
    for (let next = earliest(timers, untilMs); next !== null; next = earliest(timers, untilMs)) {
      timers.delete(next);
      nowMs = Math.max(nowMs, next.dueMs);
      next.run();
      await settle();
    }
    nowMs = Math.max(nowMs, untilMs);
  };
  return {
    clock: { nowMs: () => nowMs, wallMs: () => 1_700_000_000_000 + nowMs },
    timers: {
      after,
      soon: (run) => void after(0, run),
      sleep: (delayMs, signal) => sleepWith(after, delayMs, signal),
    },
    random: { next: () => random.next() },
    ids: { next: () => `id-${++lastId}` },
    log: recordingLog(lines),
    lines,
    get pendingTimers() {
      return timers.size;
    },
    advance,
    settle,
    stall: (ms) => {
      nowMs += ms;
    },
    advanceUntil: async (done, limitMs, stepMs = 1) => {
      await settle();
      for (const endMs = nowMs + limitMs; !done(); await advance(stepMs)) {
        if (nowMs >= endMs) throw new Error(`did not happen within ${limitMs} ms`);
      }
    },
  };
}

/** An immediate runs only when every promise that could go on has gone on. */
function settle(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

function earliest(timers: Set<PendingTimer>, untilMs: number): PendingTimer | null {
  let first: PendingTimer | null = null;
  for (const timer of timers) {
    if (timer.dueMs > untilMs) continue;
    const isEarlier =
      first === null ||
      timer.dueMs < first.dueMs ||
      (timer.dueMs === first.dueMs && timer.order < first.order);
    if (isEarlier) first = timer;
  }
  return first;
}

function sleepWith(
  after: (delayMs: number, run: () => void) => Timer,
  delayMs: number,
  signal?: AbortSignal,
): Promise<void> {
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

function recordingLog(lines: LogLine[]): Log {
  const at =
    (level: LogLine['level']) =>
    (fields: object, message: string): void => {
      lines.push({ level, fields, message });
    };
  return { debug: at('debug'), info: at('info'), warn: at('warn'), error: at('error') };
}
