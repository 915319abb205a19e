/**
 * Refreshes: the cache of a small table, rewritten whole, on a schedule, on demand, and when the cache has lost it.
 *
 * States of a resource's run: waiting -> reading (the table, in one snapshot) -> swapping (one step in the cache) ->
 * done | failed. A run that dies before its swap has changed nothing in the cache.
 *
 * Invariants
 *   - one run of a resource at a time over the whole cluster, by a lease in the database; where a holder loses it
 *     without noticing, its swap finds another generation and changes nothing
 *   - the table is read after the generation's number and the cache's time were, so that neither a newer generation nor
 *     what was invalidated since can be overwritten
 */
import type { RefreshReport, RefreshStatus } from '@lockstep/shared';
import type { TableReader } from '../database/index.ts';
import { LockstepError, type Resource, toLockstepError } from '../domain/index.ts';
import type { Runtime } from '../runtime/index.ts';
import {
  claimLease,
  type JobLease,
  type LeaseStore,
  ResourceScheduler,
  type ScheduledJob,
  type ScheduledOutcome,
  scheduleOf,
} from '../schedules/index.ts';
import type { Generations } from './generations.ts';
import type { RefreshService } from './port.ts';
import type { RefreshRuns } from './runs.ts';

/** How often this instance looks whether the cache still has its generations. */
const WATCH_MS = 1_000;
const LEASE_WAIT_MS = 30_000;
const LEASE_POLL_MS = 250;
/** Calls on demand that may wait for one resource in this process. */
const MAX_WAITING = 4;
/** Entries outlive the time until the next run by this factor, so that one that fails leaves them. */
const LIVES = 2;

export interface RefreshServiceOptions {
  tables: TableReader;
  generations: Generations;
  runs: RefreshRuns;
  leases: LeaseStore;
  resources: ReadonlyMap<string, Resource>;
  /** False while the resource's policy is being switched: nothing is written into its cache then. */
  isCacheable: (resource: Resource) => boolean;
  runtime: Runtime;
}

/** Creates the refreshes; scheduled ones run from `start` on. */
export function createRefreshService(options: RefreshServiceOptions): RefreshService {
  return new Refreshes(options);
}

class Refreshes implements RefreshService {
  readonly #options: RefreshServiceOptions;
  readonly #scheduler: ResourceScheduler;
  readonly #waiting = new Map<string, number>();
  readonly #running = new Map<string, Promise<unknown>>();
  #stopping = new AbortController();
  #watching: Promise<void> | null = null;

  constructor(options: RefreshServiceOptions) {
    this.#options = options;
    this.#scheduler = new ResourceScheduler(this.#jobs(), options.runtime, (resource, notSinceMs) =>
      this.#runScheduled(resource, notSinceMs),
    );
  }

  start(): void {
    if (this.#watching !== null) return;
    this.#stopping = new AbortController();
    this.#scheduler.start();
    this.#watching = this.#watch(this.#stopping.signal);
  }

  async stop(): Promise<void> {
    this.#stopping.abort();
    await this.#scheduler.stop();
    await this.#watching;
    this.#watching = null;
    await Promise.allSettled(this.#running.values());
  }

  async resourcesChanged(): Promise<void> {
    await this.#scheduler.replace(this.#jobs());
  }

  async overview(): Promise<RefreshStatus[]> {
    const jobs = this.#jobs();
    if (jobs.length === 0) return [];
    const stored = new Map((await this.#options.runs.list()).map((run) => [run.resource, run]));
    const next = new Map(this.#scheduler.next().map(({ resource, atMs }) => [resource, atMs]));
    return jobs.map(({ resource: { name } }) => ({
      ...NOT_BEGUN,
      ...stored.get(name),
      resource: name,
      nextAtMs: next.get(name) ?? null,
    }));
  }

  async run(resource: Resource, trigger: 'schedule' | 'demand'): Promise<RefreshReport> {
    const waiting = this.#waiting.get(resource.name) ?? 0;
    if (waiting >= MAX_WAITING) {
      const text = `${waiting} refreshes of ${resource.name} are waiting already.`;
      throw new LockstepError('QUEUE_FULL', text);
    }
    this.#waiting.set(resource.name, waiting + 1);
    const lease = await this.#waitForLease(resource).finally(() =>
      this.#waiting.set(resource.name, (this.#waiting.get(resource.name) ?? 1) - 1),
    );
    return this.#runUnder(lease, resource, trigger);
  }

  #jobs(): ScheduledJob[] {
    return [...this.#options.resources.values()].flatMap((resource) =>
      resource.refresh === null ? [] : [{ resource, when: resource.refresh.when }],
    );
  }

  async #runScheduled(resource: Resource, notSinceMs: number): Promise<ScheduledOutcome> {
    const { leases, runtime } = this.#options;
    let hasBegun = false;
    try {
      const claim = await claimLease(leases, runtime, jobOf(resource), notSinceMs);
      if (claim.lease === null) return { status: 'refused', retryInMs: claim.retryInMs };
      hasBegun = true;
      await this.#runUnder(claim.lease, resource, 'schedule');
      return { status: 'ran' };
    } catch (error) {
      this.#warn(resource, error);
      return { status: hasBegun ? 'ran' : 'not-begun' };
    }
  }

  /** A cache that has lost its entries, or has never had any, is filled without waiting for the schedule. */
  async #watch(signal: AbortSignal): Promise<void> {
    const { generations, leases, runtime } = this.#options;
    while (!signal.aborted) {
      for (const { resource } of this.#jobs()) {
        try {
          if (!this.#options.isCacheable(resource) || this.#running.has(resource.name)) continue;
          if (await generations.isThere(resource)) continue;
          const { lease } = await claimLease(leases, runtime, jobOf(resource), null);
          if (lease === null) continue;
          if (await generations.isThere(resource)) await lease.release();
          else await this.#runUnder(lease, resource, 'schedule');
        } catch (error) {
          this.#warn(resource, error);
        }
      }
      await runtime.timers.sleep(WATCH_MS, signal);
    }
  }

  #warn(resource: Resource, error: unknown): void {
    const { code, message } = toLockstepError(error);
    const fields = {
      resource: resource.name,
      code,
      ...(code === 'INTERNAL' ? { err: error } : {}),
    };
    const isAway = code === 'CACHE_UNAVAILABLE' || code === 'DATABASE_UNAVAILABLE';
    this.#options.runtime.log[isAway ? 'debug' : 'warn'](fields, `a refresh failed: ${message}`);
  }

  async #waitForLease(resource: Resource): Promise<JobLease> {
    const { leases, runtime } = this.#options;
    const { signal } = this.#stopping;
    const deadlineMs = runtime.clock.nowMs() + LEASE_WAIT_MS;
    for (;;) {
      if (signal.aborted) throw new LockstepError('SHUTTING_DOWN', 'This instance is stopping.');
      const { lease } = await claimLease(leases, runtime, jobOf(resource), null);
      if (lease !== null) return lease;
      if (runtime.clock.nowMs() >= deadlineMs) {
        const text = `Another refresh of ${resource.name} is running.`;
        throw new LockstepError('LOCK_TIMEOUT', text, { retryAfterMs: 5_000 });
      }
      await runtime.timers.sleep(LEASE_POLL_MS, signal);
    }
  }

  async #runUnder(
    lease: JobLease,
    resource: Resource,
    trigger: 'schedule' | 'demand',
  ): Promise<RefreshReport> {
    const running = this.#execute(lease, resource, trigger).finally(() => lease.release());
    this.#running.set(resource.name, running);
    try {
      return await running;
    } finally {
      if (this.#running.get(resource.name) === running) this.#running.delete(resource.name);
    }
  }

  async #execute(
    lease: JobLease,
    resource: Resource,
    trigger: 'schedule' | 'demand',
  ): Promise<RefreshReport> {
    const { runs, runtime } = this.#options;
    const startedMs = runtime.clock.nowMs();
    await runs.begin(resource.name, trigger);
    try {
      const { rows, removed } = await this.#rewrite(lease, resource);
      await runs.done(resource.name, removed);
      const tookMs = Math.round(runtime.clock.nowMs() - startedMs);
      return { resource: resource.name, rows, removed, tookMs };
    } catch (error) {
      await runs.failed(resource.name, toLockstepError(error).message).catch((cause: unknown) => {
        // The next run begins anew.
        runtime.log.debug({ err: cause }, 'a failed refresh could not be ended');
      });
      throw error;
    }
  }

  async #rewrite(lease: JobLease, resource: Resource): Promise<{ rows: number; removed: number }> {
    const { tables, generations, runs, runtime } = this.#options;
    const { refresh, ttlMs } = resource;
    if (refresh === null) throw new LockstepError('INTERNAL', 'The resource is not refreshed.');
    if (!this.#options.isCacheable(resource)) {
      throw new LockstepError('LOCK_TIMEOUT', `The policy of ${resource.name} is being switched.`);
    }
    const begun = await generations.begin(resource);
    const rows = await tables.readAll(resource, refresh.maxRows);
    await runs.swapping(resource.name, rows.length);
    lease.assertHeld();
    const untilNextMs = scheduleOf(refresh.when).nextInMs(runtime.clock.wallMs()) ?? 0;
    const swapped = await generations.swap(resource, {
      begun,
      entries: rows.map(({ key, ...row }) => ({ cacheKey: key.cacheKey, ...row })),
      lifeMs: Math.max(ttlMs, Math.round(LIVES * untilNextMs)),
    });
    if (swapped.status === 'superseded') {
      const text = `Another refresh of ${resource.name} came in between.`;
      throw new LockstepError('FENCED', text);
    }
    return { rows: rows.length, removed: swapped.removed };
  }
}

const NOT_BEGUN: Omit<RefreshStatus, 'resource' | 'nextAtMs'> = {
  phase: 'waiting',
  rows: 0,
  removed: 0,
  startedAtMs: null,
  endedAtMs: null,
  error: null,
  lastGood: null,
};

const jobOf = ({ name }: Resource): string => `refresh:${name}`;
