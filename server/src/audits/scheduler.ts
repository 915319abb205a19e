/**
 * Runs the scheduled audits of this instance. Every instance tries each of them; the database lets one through.
 *
 * One loop for each audited resource: waits until the next run is due, asks for a place (at most WIDTH runs at a time
 * in this process), runs it, and goes on by the schedule whatever became of the run.
 */
import { setMaxListeners } from 'node:events';
import type { Resource } from '../domain/index.ts';
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

export class AuditScheduler {
  readonly #runtime: Runtime;
  readonly #run: ScheduledRun;
  readonly #resources: readonly Resource[];
  /** When each resource's next run is due, on the monotonic clock. */
  readonly #dueAtMs = new Map<string, number>();
  #stopping = new AbortController();
  #loops: Promise<void>[] = [];
  #busy = 0;
  readonly #waiting: (() => void)[] = [];

  /** @param run never rejects */
  constructor(resources: Iterable<Resource>, runtime: Runtime, run: ScheduledRun) {
    this.#resources = [...resources].filter(({ audit }) => audit !== null);
    this.#runtime = runtime;
    this.#run = run;
  }

  start(): void {
    if (this.#loops.length > 0) return;
    this.#stopping = new AbortController();
    // One sleep for each audited resource listens to it.
    setMaxListeners(0, this.#stopping.signal);
    this.#loops = this.#resources.map((resource) => this.#loop(resource));
  }

  async stop(): Promise<void> {
    this.#stopping.abort();
    for (const go of this.#waiting.splice(0)) go();
    await Promise.all(this.#loops);
    this.#loops = [];
  }

  /** Next scheduled run of each audited resource, on the wall clock; null where none is to come. */
  next(): { resource: string; atMs: number | null }[] {
    const { clock } = this.#runtime;
    return this.#resources.map(({ name }) => {
      const dueAtMs = this.#dueAtMs.get(name);
      if (dueAtMs === undefined) return { resource: name, atMs: null };
      const leftMs = Math.max(0, dueAtMs - clock.nowMs());
      return { resource: name, atMs: Math.round(clock.wallMs() + leftMs) };
    });
  }

  async #loop(resource: Resource): Promise<void> {
    if (resource.audit === null) return;
    const { clock, random } = this.#runtime;
    const { signal } = this.#stopping;
    const schedule = scheduleOf(resource.audit.when);
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
