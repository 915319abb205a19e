import { LockstepError, toLockstepError, type Key, type Telemetry } from '../domain/index.ts';
import type { Runtime } from '../runtime/index.ts';
import type { ContentionMonitor } from './contention-monitor.ts';

/** Why a caller does not get the lock, and the text of its error. */
const FAILURES = {
  QUEUE_FULL: 'Too many callers wait for this key already.',
  LOCK_TIMEOUT: 'The lock on this key was not free in time.',
  LOCKS_UNAVAILABLE: 'No majority of lock nodes answers.',
  SHUTTING_DOWN: 'This instance is shutting down.',
  INTERNAL: 'The lock failed because of a defect.',
};
export type Failure = keyof typeof FAILURES;

/** Reports lock events to telemetry, to the contention statistics and to the log. */
export class LockTelemetry {
  readonly #telemetry: Telemetry;
  readonly #monitor: ContentionMonitor;
  readonly #runtime: Runtime;

  constructor(telemetry: Telemetry, monitor: ContentionMonitor, runtime: Runtime) {
    this.#telemetry = telemetry;
    this.#monitor = monitor;
    this.#runtime = runtime;
  }

  acquired(key: Key, waitMs: number, attempts: number, contended: boolean): void {
    this.#monitor.acquired(key, waitMs, contended);
    this.#telemetry.emit({ type: 'lock-acquired', key, waitMs, attempts, contended });
  }

  released(key: Key, startedAtMs: number): void {
    const heldMs = this.#runtime.clock.nowMs() - startedAtMs;
    this.#monitor.released(key, heldMs);
    this.#telemetry.emit({ type: 'lock-released', key, heldMs });
  }

  lost(key: Key, how: 'lost' | 'expired', startedAtMs: number): void {
    const heldMs = this.#runtime.clock.nowMs() - startedAtMs;
    this.#monitor.lost(key, heldMs);
    this.#telemetry.emit({ type: 'lock-lost', key, how, heldMs });
    this.#runtime.log.warn({ lockKey: key.lockKey, how, heldMs }, 'a held lock was lost');
  }

  /** Reports a caller that does not get the lock. @returns the error for that caller */
  failed(
    key: Key,
    code: Failure,
    sinceMs: number,
    attempts: number,
    cause?: unknown,
  ): LockstepError {
    const waitMs = this.#runtime.clock.nowMs() - sinceMs;
    if (code === 'QUEUE_FULL') this.#monitor.refused(key, 'queueFull', waitMs);
    if (code === 'LOCK_TIMEOUT') this.#monitor.refused(key, 'timedOut', waitMs);
    this.#telemetry.emit({ type: 'lock-failed', key, code, waitMs, attempts });
    if (code === 'INTERNAL') return toLockstepError(cause);
    return new LockstepError(code, FAILURES[code]);
  }
}
