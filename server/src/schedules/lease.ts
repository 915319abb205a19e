/**
 * The lease that lets one instance at a time do a job, such as the audit of a resource; it lives in the database, so
 * that it works wherever the job's results can be stored, and runs out by itself when its holder dies.
 *
 * States: held -> released, or held -> lost (renewal refused, or none answered in time by the own monotonic clock).
 * Losing it must never make a job unsafe: each one compares for itself; it only keeps instances from doing work twice.
 */
import { LockstepError } from '../domain/index.ts';
import type { Runtime, Timer } from '../runtime/index.ts';

/** The answer to a claim; a refused one says after how long it is worth trying again. */
export type Claim = { claimed: true } | { claimed: false; retryInMs: number };

/** Leases by the name of their job. Times are the database's own. */
export interface LeaseStore {
  /**
   * Takes the job's lease for `leaseTtlMs`. A holder that dies loses it by its expiry.
   * @param notSinceMs a scheduled run: refused where one was claimed less than this long ago, by any instance; null: on demand
   */
  claim(job: string, holder: string, leaseTtlMs: number, notSinceMs: number | null): Promise<Claim>;
  /** Prolongs the lease; false where it is not held any more. */
  renew(job: string, holder: string, leaseTtlMs: number): Promise<boolean>;
  release(job: string, holder: string): Promise<void>;
}

const LEASE_TTL_MS = 15_000;
const RENEW_EVERY_MS = 4_000;

/** What a claim answers: the lease, or after how long it is worth trying again. */
export type LeaseClaim = { lease: JobLease } | { lease: null; retryInMs: number };

/** @param notSinceMs see `LeaseStore.claim` */
export async function claimLease(
  store: LeaseStore,
  runtime: Runtime,
  job: string,
  notSinceMs: number | null,
): Promise<LeaseClaim> {
  const holder = runtime.ids.next();
  const deadlineMs = runtime.clock.nowMs() + LEASE_TTL_MS;
  const claim = await store.claim(job, holder, LEASE_TTL_MS, notSinceMs);
  if (!claim.claimed) return { lease: null, retryInMs: claim.retryInMs };
  return { lease: new JobLease(store, runtime, job, holder, deadlineMs) };
}

export class JobLease {
  readonly #store: LeaseStore;
  readonly #runtime: Runtime;
  readonly #job: string;
  readonly #holder: string;
  #deadlineMs: number;
  #timer: Timer | null = null;
  #renewing: Promise<void> = Promise.resolve();
  #isOver = false;

  constructor(
    store: LeaseStore,
    runtime: Runtime,
    job: string,
    holder: string,
    deadlineMs: number,
  ) {
    this.#store = store;
    this.#runtime = runtime;
    this.#job = job;
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
    throw new LockstepError('LOCK_TIMEOUT', 'The run lost its lease and stopped.');
  }

  /** Never rejects: a lease that cannot be released runs out. */
  async release(): Promise<void> {
    this.#isOver = true;
    this.#timer?.cancel();
    await this.#renewing;
    try {
      await this.#store.release(this.#job, this.#holder);
    } catch (error) {
      this.#runtime.log.debug({ err: error }, 'a lease could not be released; it runs out');
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
      const renewed = await this.#store.renew(this.#job, this.#holder, LEASE_TTL_MS);
      if (renewed) this.#deadlineMs = deadlineMs;
      else this.#isOver = true;
    } catch (error) {
      this.#runtime.log.debug({ err: error }, 'a lease could not be renewed yet');
    }
    this.#schedule();
  }
}
