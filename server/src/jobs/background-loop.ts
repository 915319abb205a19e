/**
 * One background job of this process: a pass that is repeated until the loop is stopped. Every background job of the
 * coordinator has this shape, and starts, wakes up and stops in the same way.
 *
 * States
 *   stopped   nothing runs and no timer is set
 *   pausing   waits for as long as the last pass asked; a wake-up ends the pause
 *   passing   one pass runs; a wake-up is kept, so that another pass follows at once
 *   backing off  the pass rejected: waits by the backoff. A wake-up does not end this wait: whatever failed would fail
 *             again, and each failing caller would wake it
 *   ended     a pass resolved with null; like stopped until `stop` and `start`
 *
 * start: stopped -> pausing -> passing <-> pausing | backing off. stop: any state -> stopped, after the pass has ended.
 *
 * Invariants
 *   - at most one pass runs at a time
 *   - a pass begins after every wake-up, except for one that comes after `stop`
 *   - when `stop` has resolved, no pass runs and no timer of the loop is set
 */
import type { Runtime } from '../runtime/index.ts';
import { Backoff, type BackoffOptions } from './backoff.ts';
import { WakeUp } from './wake-up.ts';

/** Timers hold 32 bits; a cron expression may name a day next year. */
const MAX_SLEEP_MS = 3_600_000;

export interface BackgroundLoopOptions {
  /**
   * Does the work once and resolves with the pause until the next pass in ms, or null when there is none. It should
   * end soon after `signal` aborts, and must not stop its own loop: that would wait for itself.
   */
  pass: (signal: AbortSignal) => Promise<number | null>;
  /** The pause before the first pass, in ms; null: no pass at all. Default 0. */
  firstPauseMs?: () => number | null;
  /** A pause that this loop makes after each pass, even when it is woken; it bounds how often callers can make it run. */
  leastPauseMs?: number;
  /** The wait after a pass that rejected. */
  backoff: BackoffOptions;
  /** Called for each pass that rejected, unless the loop is being stopped. @param failuresBefore in a row before this one */
  onFailure: (error: unknown, failuresBefore: number) => void;
  runtime: Pick<Runtime, 'clock' | 'timers' | 'random'>;
}

export class BackgroundLoop {
  readonly #options: BackgroundLoopOptions;
  readonly #backoff: Backoff;
  #wakeUp: WakeUp;
  #stopping = new AbortController();
  #running: Promise<void> | null = null;
  #nextPassAtMs: number | null = null;
  #waiting: (() => void)[] = [];

  constructor(options: BackgroundLoopOptions) {
    this.#options = options;
    this.#backoff = new Backoff(options.backoff, options.runtime.random);
    this.#wakeUp = new WakeUp(options.runtime.timers);
  }

  /** When the running or the next pass was due, on the monotonic clock; null unless the loop runs. */
  get nextPassAtMs(): number | null {
    return this.#nextPassAtMs;
  }

  /** Starts the loop; does nothing where it is started already. */
  start(): void {
    if (this.#running !== null) return;
    this.#stopping = new AbortController();
    this.#wakeUp = new WakeUp(this.#options.runtime.timers);
    this.#running = this.#run(this.#stopping.signal);
  }

  /** Has a pass begin at once, or right after the one that runs. */
  wake(): void {
    this.#wakeUp.wake();
  }

  /** Wakes the loop and resolves when a pass that began after this call has ended, well or not, or the loop has. */
  wakeAndWait(): Promise<void> {
    if (this.#nextPassAtMs === null) return Promise.resolve();
    const passed = new Promise<void>((resolve) => this.#waiting.push(resolve));
    this.wake();
    return passed;
  }

  /** Resolves when the pass that runs has ended. Never rejects. */
  async stop(): Promise<void> {
    this.#stopping.abort();
    await this.#running;
    this.#running = null;
  }

  async #run(signal: AbortSignal): Promise<void> {
    const { firstPauseMs } = this.#options;
    let pauseMs = firstPauseMs === undefined ? 0 : firstPauseMs();
    while (pauseMs !== null) {
      await this.#pause(pauseMs, signal);
      if (signal.aborted) break;
      pauseMs = await this.#pass(signal);
    }
    this.#nextPassAtMs = null;
    for (const resolve of this.#waiting.splice(0)) resolve();
  }

  async #pause(pauseMs: number, signal: AbortSignal): Promise<void> {
    const { leastPauseMs = 0, runtime } = this.#options;
    const { clock, timers } = runtime;
    const dueAtMs = clock.nowMs() + pauseMs;
    this.#nextPassAtMs = dueAtMs;
    if (pauseMs > 0 && leastPauseMs > 0)
      await timers.sleep(Math.min(leastPauseMs, pauseMs), signal);
    for (;;) {
      const leftMs = dueAtMs - clock.nowMs();
      const isWoken = await this.#wakeUp.wait(Math.min(MAX_SLEEP_MS, leftMs), signal);
      if (isWoken || signal.aborted || clock.nowMs() >= dueAtMs) return;
    }
  }

  /** Returns the pause until the next pass. Never rejects. */
  async #pass(signal: AbortSignal): Promise<number | null> {
    const { pass, onFailure, runtime } = this.#options;
    const waiting = this.#waiting.splice(0);
    this.#wakeUp.clear();
    let retryInMs: number | null = null;
    let pauseMs: number | null = 0;
    try {
      pauseMs = await pass(signal);
      this.#backoff.reset();
    } catch (error) {
      if (!signal.aborted) onFailure(error, this.#backoff.failures);
      retryInMs = this.#backoff.nextMs();
    }
    for (const resolve of waiting) resolve();
    if (retryInMs !== null) await runtime.timers.sleep(retryInMs, signal);
    return pauseMs;
  }
}
