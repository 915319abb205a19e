/**
 * A job that one coordinator of the cluster runs at the times of a schedule. Every coordinator tries each run; the
 * leadership of the job lets one of them through.
 *
 * States (of the loop in it): pausing until the next run is due -> waiting for a slot -> electing -> running -> pausing,
 * by the schedule, whatever became of the run. Where another coordinator runs it or has just run it, the pause lasts
 * until it is worth trying again; where nobody could be elected (the database is away), RETRY_MS.
 */
import type { AuditRule } from '../domain/index.ts';
import type { Runtime } from '../runtime/index.ts';
import { BackgroundLoop } from './background-loop.ts';
import type { Leadership, LeadershipTerm } from './leadership.ts';
import { scheduleOf, type Schedule } from './schedule.ts';
import type { Slots } from './slots.ts';

/** After a run that could not even begin, such as with the database away. */
const RETRY_MS = 2_000;
/** Shortest pause after an election that another coordinator has won. */
const LEAST_RETRY_MS = 50;

export interface ScheduledJobOptions {
  /** Its name in the leadership table. */
  job: string;
  when: AuditRule['when'];
  leadership: Leadership;
  /** Runs it once as its leader; the term ends afterwards. */
  run: (term: LeadershipTerm, signal: AbortSignal) => Promise<unknown>;
  /** Called where a run failed or could not begin; the job goes on by its schedule. */
  onFailure: (error: unknown) => void;
  /** Bounds how many jobs of this process run at once. */
  slots?: Slots;
  runtime: Runtime;
}

export class ScheduledJob {
  readonly #options: ScheduledJobOptions;
  readonly #schedule: Schedule;
  readonly #loop: BackgroundLoop;

  /** @throws Error where the schedule's cron expression is wrong */
  constructor(options: ScheduledJobOptions) {
    const { clock, random } = options.runtime;
    this.#options = options;
    this.#schedule = scheduleOf(options.when);
    this.#loop = new BackgroundLoop({
      pass: (signal) => this.#pass(signal),
      firstPauseMs: () => this.#schedule.firstInMs(clock.wallMs(), random.next()),
      backoff: { minMs: RETRY_MS, maxMs: RETRY_MS, jitter: 'equal' },
      onFailure: options.onFailure,
      runtime: options.runtime,
    });
  }

  start(): void {
    this.#loop.start();
  }

  /** Resolves when the run that it is in has ended. */
  stop(): Promise<void> {
    return this.#loop.stop();
  }

  /** When the next run is due, on the wall clock; null where none is to come. */
  nextAtMs(): number | null {
    const { clock } = this.#options.runtime;
    const dueAtMs = this.#loop.nextPassAtMs;
    if (dueAtMs === null) return null;
    return Math.round(clock.wallMs() + Math.max(0, dueAtMs - clock.nowMs()));
  }

  async #pass(signal: AbortSignal): Promise<number | null> {
    const { slots } = this.#options;
    if (slots === undefined) return this.#attempt(signal);
    return slots.use(signal, () => this.#attempt(signal));
  }

  /** Returns the time until the next attempt. Never rejects. */
  async #attempt(signal: AbortSignal): Promise<number | null> {
    const { clock } = this.#options.runtime;
    const beganAtMs = clock.nowMs();
    // Counted from the beginning of the run, so that the length of a run does not stretch the interval.
    const nextInMs = this.#schedule.nextInMs(clock.wallMs());
    const retryInMs = await this.#runIfElected(signal);
    if (nextInMs === null) return null;
    if (retryInMs !== null) return Math.min(nextInMs, retryInMs);
    return Math.max(0, nextInMs - (clock.nowMs() - beganAtMs));
  }

  /** Returns null where the run began, else after how long to try again. */
  async #runIfElected(signal: AbortSignal): Promise<number | null> {
    const { job, leadership, run, onFailure, runtime } = this.#options;
    let term: LeadershipTerm | null = null;
    try {
      const notSinceMs = this.#schedule.notSinceMs(runtime.clock.wallMs());
      const election = await leadership.elect(job, notSinceMs);
      if (election.term === null) return Math.max(election.retryInMs, LEAST_RETRY_MS);
      term = election.term;
      await run(term, signal);
    } catch (error) {
      onFailure(error);
    } finally {
      await term?.end();
    }
    return term === null ? RETRY_MS : null;
  }
}
