/**
 * Refreshes: the cache of a small table is rewritten as a whole on a schedule, on demand, and when the cache has lost it.
 *
 * States of a resource's run: waiting -> reading (the table, in one snapshot) -> swapping (one step in the cache) ->
 * done | failed. A run that dies before its swap has changed nothing in the cache.
 *
 * Invariants
 *   - only the leader of a resource's job runs its refresh, one at a time; if a leader has lost its term without
 *     noticing, its swap finds another generation and changes nothing
 *   - the generation's number and the cache's time are read before the table, so that the swap can overwrite neither a
 *     newer generation nor an invalidation that came in between
 */
import type { RefreshReport, RefreshStatus } from '@lockstep/shared';
import type { TableReader } from '../database/index.ts';
import { LockstepError, type Resource, toLockstepError } from '../domain/index.ts';
import {
  BackgroundLoop,
  type Leadership,
  type LeadershipTerm,
  ScheduledJobs,
  type ScheduledJobSpec,
  scheduleOf,
} from '../jobs/index.ts';
import type { Runtime } from '../runtime/index.ts';
import type { RedisGenerations } from './redis-generations.ts';
import type { RefreshRuns } from './runs.ts';

/** How often this instance checks that the cache still has its generations. */
const WATCH_MS = 1_000;
/** How long a refresh on demand waits for one that runs. */
const DEMAND_WAIT_MS = 30_000;
/** Entries outlive the time until the next run by this factor, so that they are still there when one run fails. */
const LIVES = 2;

export interface RefreshesOptions {
  tables: TableReader;
  generations: RedisGenerations;
  runs: RefreshRuns;
  leadership: Leadership;
  resources: ReadonlyMap<string, Resource>;
  /** False while the resource's policy is being switched. Nothing may be written into its cache then. */
  isCacheable: (resource: Resource) => boolean;
  runtime: Runtime;
}

/** Scheduled refreshes run from `start` on. */
export class Refreshes {
  readonly #options: RefreshesOptions;
  readonly #scheduled: ScheduledJobs;
  /** Fills a cache that has lost its entries, or has never had any, without waiting for the schedule. */
  readonly #watch: BackgroundLoop;
  readonly #running = new Map<string, Promise<unknown>>();
  #stopping = new AbortController();

  constructor(options: RefreshesOptions) {
    const { leadership, runtime } = options;
    this.#options = options;
    this.#scheduled = new ScheduledJobs(this.#specs(), {
      nameOf: jobOf,
      run: (resource, term) => this.#run(term, resource, 'schedule'),
      onFailure: (resource, error) => this.#warn(resource, error),
      ...{ leadership, runtime },
    });
    this.#watch = new BackgroundLoop({
      pass: async () => {
        for (const { resource } of this.#specs()) await this.#refillIfLost(resource);
        return WATCH_MS;
      },
      backoff: { minMs: WATCH_MS, maxMs: WATCH_MS, jitter: 'equal' },
      onFailure: (error) =>
        runtime.log.warn({ err: error }, 'could not check the refreshed caches'),
      runtime,
    });
  }

  start(): void {
    this.#stopping = new AbortController();
    this.#scheduled.start();
    this.#watch.start();
  }

  async stop(): Promise<void> {
    this.#stopping.abort();
    await this.#scheduled.stop();
    await this.#watch.stop();
    await Promise.allSettled(this.#running.values());
  }

  /** Adapts the schedules after the resources have changed. Resolves when the runs in flight have ended. */
  async resourcesChanged(): Promise<void> {
    await this.#scheduled.replace(this.#specs());
  }

  /** Every refreshed resource. @throws LockstepError `DATABASE_UNAVAILABLE` */
  async overview(): Promise<RefreshStatus[]> {
    const specs = this.#specs();
    if (specs.length === 0) return [];
    const stored = new Map((await this.#options.runs.list()).map((run) => [run.resource, run]));
    const next = new Map(this.#scheduled.next().map(({ resource, atMs }) => [resource, atMs]));
    return specs.map(({ resource: { name } }) => ({
      ...NOT_BEGUN,
      ...stored.get(name),
      resource: name,
      nextAtMs: next.get(name) ?? null,
    }));
  }

  /**
   * Rewrites the resource's cache now. Resolves at the end of the run.
   * @throws LockstepError `LOCK_TIMEOUT` (another run takes long), `TOO_LARGE`, `CACHE_UNAVAILABLE`, `DATABASE_UNAVAILABLE`
   */
  async run(resource: Resource, trigger: 'schedule' | 'demand'): Promise<RefreshReport> {
    const job = { job: jobOf(resource), noun: 'refresh', resource: resource.name };
    return this.#options.leadership.leadWhenFree(
      { ...job, waitMs: DEMAND_WAIT_MS, signal: this.#stopping.signal },
      (term) => this.#run(term, resource, trigger),
    );
  }

  #specs(): ScheduledJobSpec[] {
    return [...this.#options.resources.values()].flatMap((resource) =>
      resource.refresh === null ? [] : [{ resource, when: resource.refresh.when }],
    );
  }

  /** Never rejects. */
  async #refillIfLost(resource: Resource): Promise<void> {
    const { generations, leadership, isCacheable } = this.#options;
    try {
      if (!isCacheable(resource) || this.#running.has(resource.name)) return;
      if (await generations.isThere(resource)) return;
      await leadership.lead(jobOf(resource), async (term) => {
        if (!(await generations.isThere(resource))) await this.#run(term, resource, 'schedule');
      });
    } catch (error) {
      this.#warn(resource, error);
    }
  }

  #warn(resource: Resource, error: unknown): void {
    const { code, message } = toLockstepError(error);
    const cause = code === 'INTERNAL' ? { err: error } : {};
    const isAway = code === 'CACHE_UNAVAILABLE' || code === 'DATABASE_UNAVAILABLE';
    this.#options.runtime.log[isAway ? 'debug' : 'warn'](
      { resource: resource.name, code, ...cause },
      `a refresh failed: ${message}`,
    );
  }

  async #run(
    term: LeadershipTerm,
    resource: Resource,
    trigger: 'schedule' | 'demand',
  ): Promise<RefreshReport> {
    const running = this.#execute(term, resource, trigger);
    this.#running.set(resource.name, running);
    try {
      return await running;
    } finally {
      if (this.#running.get(resource.name) === running) this.#running.delete(resource.name);
    }
  }

  async #execute(
    term: LeadershipTerm,
    resource: Resource,
    trigger: 'schedule' | 'demand',
  ): Promise<RefreshReport> {
    const { runs, runtime } = this.#options;
    const startedMs = runtime.clock.nowMs();
    await runs.begin(resource.name, trigger);
    try {
      const { rows, removed } = await this.#rewrite(term, resource);
      await runs.done(resource.name, removed);
      const tookMs = Math.round(runtime.clock.nowMs() - startedMs);
      return { resource: resource.name, rows, removed, tookMs };
    } catch (error) {
      await runs.failed(resource.name, toLockstepError(error).message).catch((cause: unknown) => {
        // The next run of the resource replaces it.
        runtime.log.debug({ err: cause }, 'a failed refresh could not be stored as failed');
      });
      throw error;
    }
  }

  async #rewrite(
    term: LeadershipTerm,
    resource: Resource,
  ): Promise<{ rows: number; removed: number }> {
    const { tables, generations, runs, runtime } = this.#options;
    const { refresh, ttlMs } = resource;
    if (refresh === null) throw new LockstepError('INTERNAL', 'The resource is not refreshed.');
    if (!this.#options.isCacheable(resource)) {
      throw new LockstepError('LOCK_TIMEOUT', `The policy of ${resource.name} is being switched.`);
    }
    const begun = await generations.begin(resource);
    const rows = await tables.readAll(resource, refresh.maxRows);
    await runs.swapping(resource.name, rows.length);
    term.assertLeading();
    const untilNextMs = scheduleOf(refresh.when).nextInMs(runtime.clock.wallMs()) ?? 0;
    const removed = await generations.swap(resource, {
      begun,
      entries: rows.map(({ key, ...row }) => ({ cacheKey: key.cacheKey, ...row })),
      lifeMs: Math.max(ttlMs, Math.round(LIVES * untilNextMs)),
    });
    if (removed === null)
      throw new LockstepError('FENCED', `Another refresh of ${resource.name} came first.`);
    return { rows: rows.length, removed };
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
