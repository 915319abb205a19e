/**
 * The scheduled jobs of one kind, one for each resource that has it: the audits, or the refreshes.
 *
 * At most WIDTH of them run at once in this process. A change of the resources replaces all jobs.
 */
import type { AuditRule, Resource } from '../domain/index.ts';
import type { Runtime } from '../runtime/index.ts';
import type { Leadership, LeadershipTerm } from './leadership.ts';
import { ScheduledJob } from './scheduled-job.ts';
import { Slots } from './slots.ts';

const WIDTH = 2;

/** A resource and when its job is due. */
export interface ScheduledJobSpec {
  resource: Resource;
  when: AuditRule['when'];
}

export interface ScheduledJobsOptions {
  /** The job's name in the leadership table. */
  nameOf: (resource: Resource) => string;
  leadership: Leadership;
  run: (resource: Resource, term: LeadershipTerm, signal: AbortSignal) => Promise<unknown>;
  onFailure: (resource: Resource, error: unknown) => void;
  runtime: Runtime;
}

export class ScheduledJobs {
  readonly #options: ScheduledJobsOptions;
  readonly #slots = new Slots(WIDTH);
  #jobs: { resource: Resource; job: ScheduledJob }[];
  #isStarted = false;

  constructor(specs: Iterable<ScheduledJobSpec>, options: ScheduledJobsOptions) {
    this.#options = options;
    this.#jobs = this.#jobsOf(specs);
  }

  start(): void {
    this.#isStarted = true;
    for (const { job } of this.#jobs) job.start();
  }

  /** Resolves when the runs in flight have ended. */
  async stop(): Promise<void> {
    await Promise.all(this.#jobs.map(({ job }) => job.stop()));
    this.#isStarted = false;
  }

  /** Has other jobs from now on; resolves when the runs in flight of the former ones have ended. */
  async replace(specs: Iterable<ScheduledJobSpec>): Promise<void> {
    const wasStarted = this.#isStarted;
    await this.stop();
    this.#jobs = this.#jobsOf(specs);
    if (wasStarted) this.start();
  }

  /** The next scheduled run of each resource, on the wall clock; null where none is to come. */
  next(): { resource: string; atMs: number | null }[] {
    return this.#jobs.map(({ resource, job }) => ({
      resource: resource.name,
      atMs: job.nextAtMs(),
    }));
  }

  #jobsOf(specs: Iterable<ScheduledJobSpec>): { resource: Resource; job: ScheduledJob }[] {
    const { nameOf, leadership, run, onFailure, runtime } = this.#options;
    return [...specs].map(({ resource, when }) => ({
      resource,
      job: new ScheduledJob({
        job: nameOf(resource),
        ...{ when, leadership, slots: this.#slots, runtime },
        run: (term, signal) => run(resource, term, signal),
        onFailure: (error) => onFailure(resource, error),
      }),
    }));
  }
}
