/**
 * A key that this process holds for work of its own.
 *
 * States: held -> released | lost. While held it is renewed; `signal` fires when it is lost.
 *   - it counts as held no longer than `ttlMs`, less a margin, after the sending of the last request that granted or
 *     renewed it, by this process's monotonic clock. The coordinator counts from later than that, so that the signal
 *     fires before the lock can be another one's
 *   - a process that was suspended past that moment finds it lost when it wakes: ask `isHeld` before a step that matters,
 *     and give the `fence` to whatever can compare it
 */
import type { JsonObject } from '@lockstep/shared/for-clients';
import { nowMs } from './clock.ts';
import { LockstepError } from './errors.ts';
import { tell } from './events.ts';
import type { CallOptions, Lease, LeaseOptions } from './types.ts';

/** How far two clocks may drift apart, and how late a timer may be, as a part of the TTL. */
const MARGIN = 0.1;
const LEAST_MARGIN_MS = 20;
/** It is renewed when so much of its TTL is over. */
const RENEW_AFTER = 1 / 3;
const RETRY_RENEWAL_MS = 100;

/** What a lease asks of the coordinator. */
export interface LeaseCalls {
  grant(options: CallOptions): Promise<JsonObject>;
  extend(id: string, ttlMs: number, options: CallOptions): Promise<JsonObject>;
  release(id: string, invalidate: boolean, options: CallOptions): Promise<JsonObject>;
}

/** @throws LockstepError where the key was not granted */
export async function grantLease(
  resource: string,
  calls: LeaseCalls,
  options: LeaseOptions,
): Promise<Lease> {
  const { ttlMs } = options;
  let askedAtMs = nowMs();
  const granted = await calls.grant(options);
  const [id, fence] = [String(granted['id']), Number(granted['fence'])];
  if (nowMs() - askedAtMs > ttlMs * RENEW_AFTER) {
    // It waited for the lock: when it was granted is not known. From this answer on it is.
    askedAtMs = nowMs();
    await calls.extend(id, ttlMs, options);
  }
  return new RenewedLease({
    resource,
    calls,
    options,
    askedAtMs,
    id,
    fence,
  });
}

interface RenewedLeaseOptions {
  resource: string;
  calls: LeaseCalls;
  options: LeaseOptions;
  askedAtMs: number;
  id: string;
  fence: number;
}

class RenewedLease implements Lease {
  readonly id: string;
  readonly resource: string;
  readonly fence: number;
  readonly #calls: LeaseCalls;
  readonly #ttlMs: number;
  readonly #lost = new AbortController();
  #heldUntilMs: number;
  #state: 'held' | 'released' | 'lost' = 'held';
  #expiry: NodeJS.Timeout;
  #renewal: NodeJS.Timeout;

  constructor({ resource, calls, options, askedAtMs, id, fence }: RenewedLeaseOptions) {
    this.id = id;
    this.resource = resource;
    this.fence = fence;
    this.#calls = calls;
    this.#ttlMs = options.ttlMs;
    this.#heldUntilMs = this.#untilMs(askedAtMs);
    this.#expiry = setTimeout(() => this.#expired(), this.#heldUntilMs - nowMs());
    this.#renewal = this.#renewIn(askedAtMs + this.#ttlMs * RENEW_AFTER - nowMs());
    this.#expiry.unref();
    tell('lockstep:lease', { state: 'held', resource, id });
  }

  get signal(): AbortSignal {
    return this.#lost.signal;
  }

  get isHeld(): boolean {
    if (this.#state === 'held' && nowMs() >= this.#heldUntilMs) this.#lose('It ran out.');
    return this.#state === 'held';
  }

  async release({ invalidate = false, ...options }: CallOptions & { invalidate?: boolean } = {}) {
    if (this.#state === 'released') return;
    if (!this.isHeld) {
      // The key may be another one's by now; what is left of the lease ends with its TTL at the latest.
      await this.#calls.release(this.id, false, options).catch(() => undefined);
      throw lost('It was lost before it was released.');
    }
    this.#end('released');
    try {
      await this.#calls.release(this.id, invalidate, options);
    } catch (error) {
      const isGone = error instanceof LockstepError && error.code === 'UNKNOWN_LEASE';
      throw isGone ? lost('It was over before it was released.', error) : error;
    }
  }

  #untilMs(askedAtMs: number): number {
    return askedAtMs + this.#ttlMs - Math.max(LEAST_MARGIN_MS, this.#ttlMs * MARGIN);
  }

  #renewIn(ms: number): NodeJS.Timeout {
    const timer = setTimeout(() => void this.#renew(), Math.max(0, ms));
    timer.unref();
    return timer;
  }

  /** Never rejects. */
  async #renew(): Promise<void> {
    if (!this.isHeld) return;
    const askedAtMs = nowMs();
    try {
      const timeoutMs = Math.max(1, this.#heldUntilMs - askedAtMs);
      await this.#calls.extend(this.id, this.#ttlMs, { timeoutMs });
    } catch (error) {
      if (this.#state !== 'held') return;
      const isOver = error instanceof LockstepError && !error.retryable;
      if (isOver) this.#lose('The coordinator says that it is over.', error);
      else this.#renewal = this.#renewIn(RETRY_RENEWAL_MS);
      return;
    }
    if (this.#state !== 'held') return;
    this.#heldUntilMs = this.#untilMs(askedAtMs);
    this.#renewal = this.#renewIn(askedAtMs + this.#ttlMs * RENEW_AFTER - nowMs());
    tell('lockstep:lease', { state: 'renewed', resource: this.resource, id: this.id });
  }

  /** The timer is not set anew with each renewal: it looks how much later the end is by now. */
  #expired(): void {
    if (!this.isHeld) return;
    this.#expiry = setTimeout(() => this.#expired(), this.#heldUntilMs - nowMs());
    this.#expiry.unref();
  }

  #lose(reason: string, cause?: unknown): void {
    this.#end('lost');
    this.#lost.abort(lost(reason, cause));
  }

  #end(state: 'released' | 'lost'): void {
    this.#state = state;
    clearTimeout(this.#expiry);
    clearTimeout(this.#renewal);
    tell('lockstep:lease', { state, resource: this.resource, id: this.id });
  }
}

const lost = (reason: string, cause?: unknown): LockstepError =>
  new LockstepError('LEASE_LOST', `The lease is lost. ${reason}`, { cause });
