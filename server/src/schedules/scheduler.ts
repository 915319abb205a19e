/**
 * Runs the scheduled jobs of this instance, one kind of job for each resource that has it. Every instance tries each
 * run; the database lets one through.
 *
 * One loop for each resource: waits until the next run is due, asks for a place (at most WIDTH runs at a time
 * in this process), runs it, and goes on by the schedule whatever became of the run.
 */
import { setMaxListeners } from 'node:events';
import type { AuditRule, Resource } from '../domain/index.ts';
import type { Runtime } from '../runtime/index.ts';
import { scheduleOf, type Schedule } from './schedule.ts';

const WIDTH = 2;
/** After an attempt that could not even begin, such as with the database away. */
const RETRY_MS = 2_000;
/** Timers take 32 bits; a cron expression may name a day next year. */
const MAX_SLEEP_MS = 3_600_000;

/**
 * How an attempt at a scheduled run ended. `refused`: another instance runs it or has just run it; `not-begun`: it is
 * not known whether one has.
 */
export type ScheduledOutcome =
  { status: 'ran' } | { status: 'refused'; retryInMs: number } | { status: 'not-begun' };

export type ScheduledRun = (
  resource: Resource,
  notSinceMs: number,
  signal: AbortSignal,
) => Promise<ScheduledOutcome>;

/** A resource and when its job is due. */
export interface ScheduledJob {
  resource: Resource;
  when: AuditRule['when'];
}

export class ResourceScheduler {
  readonly #runtime: Runtime;
  readonly #run: ScheduledRun;
  #jobs: readonly ScheduledJob[];
  /** When each resource's next run is due, on the monotonic clock. */
  readonly #dueAtMs = new Map<string, number>();
  #stopping = new AbortController();
  #loops: Promise<void>[] = [];
  #isStarted = false;
  #busy = 0;
  readonly #waiting: (() => void)[] = [];

  /** @param run never rejects */
  constructor(jobs: Iterable<ScheduledJob>, runtime: Runtime, run: ScheduledRun) {
    this.#jobs = [...jobs];
    this.#runtime = runtime;
    this.#run = run;
  }

  start(): void {
    if (this.#isStarted) return;
    this.#isStarted = true;
    this.#stopping = new AbortController();
    // One sleep for each resource listens to it.
    setMaxListeners(0, this.#stopping.signal);
    const { signal } = this.#stopping;
    this.#loops = this.#jobs.map((job) => this.#loop(job, signal));
  }

  /** Other jobs from now on; runs under way end as they would. */
  async replace(jobs: Iterable<ScheduledJob>): Promise<void> {
    const isRunning = this.#isStarted;
    await this.stop();
    this.#jobs = [...jobs];
    if (isRunning) this.start();
  }

  async stop(): Promise<void> {
    this.#stopping.abort();
    for (const go of this.#waiting.splice(0)) go();
    await Promise.all(this.#loops);
    this.#loops = [];
    this.#isStarted = false;
  }

  /** Next scheduled run of each resource, on the wall clock; null where none is to come. */
  next(): { resource: string; atMs: number | null }[] {
    const { clock } = this.#runtime;
    return this.#jobs.map(({ resource: { name } }) => {
      const dueAtMs = this.#dueAtMs.get(name);
      if (dueAtMs === undefined) return { resource: name, atMs: null };
      const leftMs = Math.max(0, dueAtMs - clock.nowMs());
      return { resource: name, atMs: Math.round(clock.wallMs() + leftMs) };
    });
  }

  async #loop({ resource, when }: ScheduledJob, signal: AbortSignal): Promise<void> {
    const { clock, random } = this.#runtime;
    const schedule = scheduleOf(when);
    let delayMs = schedule.firstInMs(clock.wallMs(), random.next());
    while (delayMs !== null && !signal.aborted) {
      await this.#sleepUntilDue(resource, delayMs);
      if (signal.aborted) break;
      delayMs = await this.#placed(() => this.#attempt(resource, schedule));
    }
    this.#dueAtMs.delete(resource.name);
  }

  /** Runs once and answers the time until the next attempt. */
  async #attempt(resource: Resource, schedule: Schedule): Promise<number | null> {
    const { clock } = this.#runtime;
    const { signal } = this.#stopping;
    if (signal.aborted) return null;
    const beganAtMs = clock.nowMs();
    // From the beginning, so that the length of a run does not stretch the interval.
    const nextInMs = schedule.nextInMs(clock.wallMs());
    const outcome = await this.#run(resource, schedule.notSinceMs(clock.wallMs()), signal);
    if (nextInMs === null) return null;
    const leftMs = Math.max(0, nextInMs - (clock.nowMs() - beganAtMs));
    if (outcome.status === 'refused') return Math.min(nextInMs, Math.max(outcome.retryInMs, 50));
    if (outcome.status === 'not-begun') return Math.min(nextInMs, RETRY_MS);
    return leftMs;
  }

  async #sleepUntilDue(resource: Resource, delayMs: number): Promise<void> {
    const { clock, timers } = this.#runtime;
    const dueAtMs = clock.nowMs() + delayMs;
    this.#dueAtMs.set(resource.name, dueAtMs);
    while (!this.#stopping.signal.aborted && clock.nowMs() < dueAtMs) {
      const leftMs = dueAtMs - clock.nowMs();
      await timers.sleep(Math.min(MAX_SLEEP_MS, leftMs), this.#stopping.signal);
    }
  }

  async #placed<T>(run: () => Promise<T>): Promise<T> {
    while (this.#busy >= WIDTH && !this.#stopping.signal.aborted) {
      await new Promise<void>((resolve) => this.#waiting.push(resolve));
    }
    this.#busy += 1;
    try {
      return await run();
    } finally {
      this.#busy -= 1;
      this.#waiting.shift()?.();
    }
  }
}
