/**
 * One call to the coordinator, over all its attempts.
 *
 * States: waiting -> sent -> over, or back to waiting for another attempt.
 *   - it ends once: by an answer, by an error that is not tried again, by its deadline, or by its caller's signal
 *   - a write of which an attempt was sent and not answered ends as `unknown`, unless a repeat by the same idempotency
 *     key learns that it was applied: a repeat that was refused proves nothing about an attempt that may still arrive
 */
import type { JsonObject } from '@lockstep/shared/for-clients';
import { LockstepError } from './errors.ts';
import { channelOf, tell } from './events.ts';
import type { Retries } from './retries.ts';
import type { ClientRuntime, Timer } from './runtime.ts';
import type { CallOptions } from './types.ts';

export interface CallSpec {
  op: string;
  resource: string;
  /** Whether it may change something, so that an answer that is lost matters. */
  isWrite: boolean;
  /** Repeats of it apply nothing twice. */
  isRepeatable: boolean;
  idempotencyKey?: string | undefined;
  /** Whether a failure that may be tried again is; default: it is. */
  isRetried?: ((error: LockstepError) => boolean) | undefined;
  /** Whether an error says what became of the call as a whole, also of attempts that had no answer. Default: none does. */
  isConclusive?: ((error: LockstepError) => boolean) | undefined;
  /** Starts an attempt. */
  send: (call: Call) => void;
  accept: (result: JsonObject) => void;
  reject: (error: LockstepError) => void;
  /** It ended, in whatever way. */
  ended?: () => void;
}

/** What all calls of a client have in common. */
export interface CallSettings {
  /** The bound on a call that names none. */
  timeoutMs: number;
  retries: Retries;
  runtime: ClientRuntime;
}

const OPERATION = channelOf('lockstep:operation');

export class Call {
  readonly spec: CallSpec;
  /** By this process's monotonic clock. */
  readonly deadlineMs: number;
  /** Its caller bounded it: the wait for the lock is bounded too. */
  readonly isBounded: boolean;
  readonly #startedAtMs: number;
  readonly #deadline: Timer;
  readonly #signal: AbortSignal | undefined;
  readonly #retries: Retries;
  readonly #runtime: ClientRuntime;
  #retry: Timer | undefined;
  #attempts = 0;
  #state: 'waiting' | 'sent' | 'over' = 'waiting';
  #wasUnknown = false;

  constructor(spec: CallSpec, options: CallOptions, settings: CallSettings) {
    const { timeoutMs = settings.timeoutMs, signal } = options;
    const { retries, runtime } = settings;
    this.spec = spec;
    this.#retries = retries;
    this.#runtime = runtime;
    this.isBounded = options.timeoutMs !== undefined;
    this.#startedAtMs = runtime.nowMs();
    this.deadlineMs = this.#startedAtMs + timeoutMs;
    this.#signal = signal;
    this.#deadline = runtime.after(timeoutMs, () => this.#giveUp('TIMEOUT'));
    retries.called();
    if (signal === undefined) return;
    if (signal.aborted) queueMicrotask(this.#aborted);
    else signal.addEventListener('abort', this.#aborted, { once: true });
  }

  get isOver(): boolean {
    return this.#state === 'over';
  }

  get leftMs(): number {
    return this.deadlineMs - this.#runtime.nowMs();
  }

  /** Starts the first attempt. */
  start(): void {
    this.spec.send(this);
  }

  /** The request of this attempt is about to be written. */
  noteSent(): void {
    this.#attempts += 1;
    if (this.#state === 'waiting') this.#state = 'sent';
  }

  answered(result: JsonObject): void {
    if (this.#end(null)) this.spec.accept(result);
  }

  /**
   * An attempt failed: the call is tried again, or ends.
   * @param leastMs what the coordinator asked to wait
   */
  failed(error: LockstepError, leastMs = 0): void {
    if (this.isOver) return;
    this.#state = 'waiting';
    if (error.outcome === 'unknown') this.#wasUnknown = true;
    const waitMs = this.#mayRetry(error) ? this.#retries.next(this.#attempts, leastMs) : null;
    if (waitMs === null || waitMs >= this.leftMs) {
      this.#reject(this.#truth(error));
      return;
    }
    const { op, resource } = this.spec;
    tell('lockstep:retry', { op, resource, code: error.code, attempt: this.#attempts, waitMs });
    this.#retry = this.#runtime.after(waitMs, () => this.spec.send(this));
  }

  /** Ends it with this error, whatever it waits for. */
  cancel(error: LockstepError): void {
    if (!this.isOver) this.#reject(this.#truth(error, this.#state === 'sent'));
  }

  #mayRetry(error: LockstepError): boolean {
    if (!error.retryable || this.spec.isRetried?.(error) === false) return false;
    return this.spec.isRepeatable || (error.outcome === 'not_applied' && !this.#wasUnknown);
  }

  readonly #aborted = (): void => this.#giveUp('ABORTED');

  #giveUp(code: 'TIMEOUT' | 'ABORTED'): void {
    if (this.isOver) return;
    const text = code === 'TIMEOUT' ? 'There was no answer in time.' : 'The caller gave it up.';
    const cause: unknown = code === 'ABORTED' ? this.#signal?.reason : undefined;
    this.cancel(new LockstepError(code, text, { cause }));
  }

  /** What became of the call as a whole, of which this is the last attempt's error. */
  #truth(error: LockstepError, isInFlight = false): LockstepError {
    const { isWrite, idempotencyKey, isConclusive } = this.spec;
    if (isConclusive?.(error) === true) return error;
    const isUnknown = isWrite && (this.#wasUnknown || isInFlight || error.outcome === 'unknown');
    if (!isUnknown) return error;
    const code = error.code === 'ABORTED' ? 'ABORTED' : 'OUTCOME_UNKNOWN';
    const details =
      idempotencyKey === undefined ? error.details : { ...error.details, idempotencyKey };
    const isSame = error.code === code && error.outcome === 'unknown' && details === error.details;
    if (isSame) return error;
    const text =
      'The write was sent and no answer came; repeat it by its idempotency key to learn.';
    const cause = error.code === 'OUTCOME_UNKNOWN' ? error.cause : error;
    return new LockstepError(code, text, { outcome: 'unknown', details, cause });
  }

  #reject(error: LockstepError): void {
    if (this.#end(error)) this.spec.reject(error);
  }

  #end(error: LockstepError | null): boolean {
    if (this.#state === 'over') return false;
    this.#state = 'over';
    this.#deadline.cancel();
    this.#retry?.cancel();
    this.#signal?.removeEventListener('abort', this.#aborted);
    this.spec.ended?.();
    if (OPERATION.hasSubscribers) this.#tell(error);
    return true;
  }

  #tell(error: LockstepError | null): void {
    const { op, resource, isWrite } = this.spec;
    tell('lockstep:operation', {
      ...{ op, resource, attempts: this.#attempts, code: error?.code ?? null },
      durationMs: this.#runtime.nowMs() - this.#startedAtMs,
      outcome: error?.outcome ?? (isWrite ? 'applied' : null),
    });
  }
}
