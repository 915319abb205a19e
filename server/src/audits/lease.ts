/**
 * The lease that lets one instance at a time audit a resource; it lives in the database, so that it works wherever
 * the audits' results can be stored, and runs out by itself when its holder dies.
 *
 * States: held -> released, or held -> lost (renewal refused, or none answered in time by the own monotonic clock).
 * Losing it never makes a repair unsafe, since each one compares for itself; it only keeps audits from doing work twice.
 */
import { LockstepError, type Resource } from '../domain/index.ts';
import type { Runtime, Timer } from '../runtime/index.ts';
import type { AuditStore } from './store.ts';

const LEASE_TTL_MS = 15_000;
const RENEW_EVERY_MS = 4_000;

/** What a claim answers: the lease, or after how long it is worth trying again. */
export type LeaseClaim = { lease: AuditLease } | { lease: null; retryInMs: number };

/** @param notSinceMs see `AuditStore.claim` */
export async function claimLease(
  store: AuditStore,
  runtime: Runtime,
  resource: Resource,
  notSinceMs: number | null,
): Promise<LeaseClaim> {
  const holder = runtime.ids.next();
  const deadlineMs = runtime.clock.nowMs() + LEASE_TTL_MS;
  const claim = await store.claim(resource.name, holder, LEASE_TTL_MS, notSinceMs);
  if (!claim.claimed) return { lease: null, retryInMs: claim.retryInMs };
  return { lease: new AuditLease(store, runtime, resource.name, holder, deadlineMs) };
}

export class AuditLease {
  readonly #store: AuditStore;
  readonly #runtime: Runtime;
  readonly #resource: string;
  readonly #holder: string;
  #deadlineMs: number;
  #timer: Timer | null = null;
  #renewing: Promise<void> = Promise.resolve();
  #isOver = false;

  constructor(
    store: AuditStore,
    runtime: Runtime,
    resource: string,
    holder: string,
    deadlineMs: number,
  ) {
    this.#store = store;
    this.#runtime = runtime;
    this.#resource = resource;
    this.#holder = holder;
    this.#deadlineMs = deadlineMs;
    this.#schedule();
  }

  /** Whether the lease is still proved valid. */
  get isHeld(): boolean {
    return !this.#isOver && this.#runtime.clock.nowMs() < this.#deadlineMs;
  }

  /** @throws LockstepError `LOCK_TIMEOUT` when the lease is not proved valid any more */
  assertHeld(): void {
    if (this.isHeld) return;
    throw new LockstepError('LOCK_TIMEOUT', 'The audit lost its lease and stopped.');
  }

  /** Never rejects: a lease that cannot be released runs out. */
  async release(): Promise<void> {
    this.#isOver = true;
    this.#timer?.cancel();
    await this.#renewing;
    try {
      await this.#store.release(this.#resource, this.#holder);
    } catch (error) {
      this.#runtime.log.debug(
        { err: error },
        "an audit's lease could not be released; it runs out",
      );
    }
  }

  #schedule(): void {
    if (this.#isOver) return;
    this.#timer = this.#runtime.timers.after(RENEW_EVERY_MS, () => {
      this.#renewing = this.#renew();
    });
  }

  async #renew(): Promise<void> {
    const deadlineMs = this.#runtime.clock.nowMs() + LEASE_TTL_MS;
    try {
      const renewed = await this.#store.renew(this.#resource, this.#holder, LEASE_TTL_MS);
      if (renewed) this.#deadlineMs = deadlineMs;
      else this.#isOver = true;
    } catch (error) {
      this.#runtime.log.debug({ err: error }, "an audit's lease could not be renewed yet");
    }
    this.#schedule();
  }
}
