/**
 * Which coordinator of the cluster runs a job: the leader, for one term at a time.
 *
 * Terms are rows of the database, so that a job can be led wherever its results can be stored. A leader that dies is
 * followed when its term expires.
 *
 * States of a term: leading -> ended, or leading -> lost (a renewal was refused, or none was answered in time by this
 * process's own monotonic clock).
 *
 * Leadership only keeps coordinators from doing the same work twice. A job must be safe without it: a leader that was
 * paused does not know yet that it has lost its term.
 */
import { LockstepError } from '../domain/index.ts';
import type { Runtime, Timer } from '../runtime/index.ts';

const TERM_MS = 15_000;
const RENEW_EVERY_MS = 4_000;
/** How often a run on demand asks again for a job that another one runs. */
const DEMAND_POLL_MS = 250;
/** Runs on demand that may wait for one job in this process. */
const MAX_WAITING = 4;

/** The result of an election; one that was not won says after how long it is worth trying again. */
export type Election = { elected: true } | { elected: false; retryInMs: number };

/**
 * Terms by the name of their job; all times are the database's own.
 * Every method rejects with LockstepError `DATABASE_UNAVAILABLE` when the database does not answer.
 */
export interface LeadershipStore {
  /**
   * Makes `leader` the leader of the job for `termMs`, unless another one leads it.
   * @param notSinceMs for a scheduled run: it is refused where any coordinator began one less than this long ago; null for a run on demand
   */
  elect(job: string, leader: string, termMs: number, notSinceMs: number | null): Promise<Election>;
  /** Extends the term; false where another one leads, or nobody does. */
  renew(job: string, leader: string, termMs: number): Promise<boolean>;
  resign(job: string, leader: string): Promise<void>;
}

/** A run on demand of a job that may have to wait for another run. */
export interface DemandedRun {
  job: string;
  /** What is run, as errors name it: `audit`. */
  noun: string;
  resource: string;
  /** How long it waits. */
  waitMs: number;
  signal: AbortSignal;
}

export class Leadership {
  readonly #store: LeadershipStore;
  readonly #runtime: Runtime;
  /** How many runs on demand wait for each job. */
  readonly #waiting = new Map<string, number>();

  constructor(store: LeadershipStore, runtime: Runtime) {
    this.#store = store;
    this.#runtime = runtime;
  }

  /** @param notSinceMs see `LeadershipStore.elect` */
  async elect(
    job: string,
    notSinceMs: number | null,
  ): Promise<{ term: LeadershipTerm } | { term: null; retryInMs: number }> {
    const leader = this.#runtime.ids.next();
    const expiresAtMs = this.#runtime.clock.nowMs() + TERM_MS;
    const election = await this.#store.elect(job, leader, TERM_MS, notSinceMs);
    if (!election.elected) return { term: null, retryInMs: election.retryInMs };
    return { term: new LeadershipTerm(this.#store, this.#runtime, job, leader, expiresAtMs) };
  }

  /** Runs `work` as the leader of the job, unless another one leads it. */
  async lead(job: string, work: (term: LeadershipTerm) => Promise<void>): Promise<void> {
    const { term } = await this.elect(job, null);
    if (term !== null) await work(term).finally(() => term.end());
  }

  /**
   * Runs `work` as the leader of the job as soon as nobody else leads it.
   * @throws LockstepError `QUEUE_FULL`, `LOCK_TIMEOUT` (another run takes long), `SHUTTING_DOWN` (the signal aborted)
   */
  async leadWhenFree<T>(run: DemandedRun, work: (term: LeadershipTerm) => Promise<T>): Promise<T> {
    const term = await this.#whenFree(run);
    return work(term).finally(() => term.end());
  }

  async #whenFree(run: DemandedRun): Promise<LeadershipTerm> {
    const { job, noun, resource } = run;
    const waiting = this.#waiting.get(job) ?? 0;
    if (waiting >= MAX_WAITING) {
      const text = `${waiting} ${noun}s of ${resource} are waiting already.`;
      throw new LockstepError('QUEUE_FULL', text);
    }
    this.#waiting.set(job, waiting + 1);
    try {
      return await this.#poll(run);
    } finally {
      this.#waiting.set(job, (this.#waiting.get(job) ?? 1) - 1);
    }
  }

  async #poll({ job, noun, resource, waitMs, signal }: DemandedRun): Promise<LeadershipTerm> {
    const { clock, timers } = this.#runtime;
    const deadlineMs = clock.nowMs() + waitMs;
    for (;;) {
      if (signal.aborted) throw new LockstepError('SHUTTING_DOWN', 'This instance is stopping.');
      const { term } = await this.elect(job, null);
      if (term !== null) return term;
      if (clock.nowMs() >= deadlineMs) {
        const text = `Another ${noun} of ${resource} is running.`;
        throw new LockstepError('LOCK_TIMEOUT', text, { retryAfterMs: 5_000 });
      }
      await timers.sleep(DEMAND_POLL_MS, signal);
    }
  }
}

/** This coordinator's leadership of one job; it renews itself until it is ended or lost. */
export class LeadershipTerm {
  readonly #store: LeadershipStore;
  readonly #runtime: Runtime;
  readonly #job: string;
  readonly #leader: string;
  #expiresAtMs: number;
  #timer: Timer | null = null;
  #renewing: Promise<void> = Promise.resolve();
  #isOver = false;

  constructor(
    store: LeadershipStore,
    runtime: Runtime,
    job: string,
    leader: string,
    expiresAtMs: number,
  ) {
    this.#store = store;
    this.#runtime = runtime;
    this.#job = job;
    this.#leader = leader;
    this.#expiresAtMs = expiresAtMs;
    this.#scheduleRenewal();
  }

  /** Whether this coordinator is known to lead the job still. */
  get isLeading(): boolean {
    return !this.#isOver && this.#runtime.clock.nowMs() < this.#expiresAtMs;
  }

  /** @throws LockstepError `LOCK_TIMEOUT` when this coordinator may not lead the job any more */
  assertLeading(): void {
    if (this.isLeading) return;
    throw new LockstepError('LOCK_TIMEOUT', 'The run lost its leadership and stopped.');
  }

  /** Resigns. Never rejects: a term that cannot be ended expires. */
  async end(): Promise<void> {
    this.#isOver = true;
    this.#timer?.cancel();
    await this.#renewing;
    try {
      await this.#store.resign(this.#job, this.#leader);
    } catch (error) {
      const { log } = this.#runtime;
      log.debug({ err: error, job: this.#job }, 'a leader could not resign; its term expires');
    }
  }

  #scheduleRenewal(): void {
    if (this.#isOver) return;
    this.#timer = this.#runtime.timers.after(RENEW_EVERY_MS, () => {
      this.#renewing = this.#renew();
    });
  }

  async #renew(): Promise<void> {
    const expiresAtMs = this.#runtime.clock.nowMs() + TERM_MS;
    try {
      const isRenewed = await this.#store.renew(this.#job, this.#leader, TERM_MS);
      if (isRenewed) this.#expiresAtMs = expiresAtMs;
      else this.#isOver = true;
    } catch (error) {
      const { log } = this.#runtime;
      log.debug({ err: error, job: this.#job }, 'a term could not be renewed yet');
    }
    this.#scheduleRenewal();
  }
}
