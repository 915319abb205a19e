/**
 * The demo's live load: a service that calls Lockstep over HTTP at a steady rate.
 *
 * States: running, backing off (until a moment), stopped. A 429, a 5xx or a lost connection begins a pause of what
 * `Retry-After` says, doubling from BACKOFF_MIN_MS to BACKOFF_MAX_MS while it goes on; the first good answer ends it.
 * Invariant: at most MAX_IN_FLIGHT operations are in flight; further ones are skipped, never queued.
 */
import type { Runtime } from '../runtime/index.ts';
import type { LoadAnswer, LoadClient } from './load-client.ts';
import type { LoadOperation, LoadPlan } from './load-plan.ts';

const STEP_MS = 50;
const RUSH_EVERY_MS = 3_000;
const MAX_IN_FLIGHT = 48;
const BACKOFF_MIN_MS = 500;
const BACKOFF_MAX_MS = 8_000;

export interface LoadOptions {
  client: LoadClient;
  plan: LoadPlan;
  operationsPerSecond: number;
  runtime: Runtime;
}

export class Load {
  readonly #options: LoadOptions;
  readonly #runtime: Runtime;
  readonly #stopping = new AbortController();
  readonly #inFlight = new Set<Promise<void>>();
  #running: Promise<void> | null = null;
  #backoffMs = 0;
  #pausedUntilMs = 0;
  #answered = 0;

  constructor(options: LoadOptions) {
    this.#options = options;
    this.#runtime = options.runtime;
  }

  /** Operations answered so far, of whatever status. */
  get answered(): number {
    return this.#answered;
  }

  start(): void {
    this.#running ??= this.#run();
  }

  /** Starts nothing more and waits for what is in flight. */
  async stop(): Promise<void> {
    this.#stopping.abort();
    await this.#running;
    await Promise.all(this.#inFlight);
    this.#options.client.close();
  }

  async #run(): Promise<void> {
    const { clock, timers } = this.#runtime;
    const { signal } = this.#stopping;
    let lastMs = clock.nowMs();
    let rushAtMs = lastMs + RUSH_EVERY_MS;
    let owed = 0;
    while (!signal.aborted) {
      await timers.sleep(STEP_MS, signal);
      const nowMs = clock.nowMs();
      // After a stall it goes on at its rate, without making up for what it missed.
      owed += (Math.min(nowMs - lastMs, 2 * STEP_MS) / 1_000) * this.#options.operationsPerSecond;
      lastMs = nowMs;
      if (nowMs < this.#pausedUntilMs) {
        owed = 0;
        continue;
      }
      for (; owed >= 1; owed--) this.#begin(this.#options.plan.next());
      if (nowMs < rushAtMs || this.#backoffMs > 0) continue;
      rushAtMs = nowMs + RUSH_EVERY_MS;
      for (const operation of this.#options.plan.rush()) this.#begin(operation);
    }
  }

  #begin(operation: LoadOperation): void {
    if (this.#inFlight.size >= MAX_IN_FLIGHT || this.#stopping.signal.aborted) return;
    const done = this.#call(operation).finally(() => this.#inFlight.delete(done));
    this.#inFlight.add(done);
  }

  async #call(operation: LoadOperation): Promise<void> {
    const answer = await this.#options.client.call(operation);
    if (isOverloaded(answer)) return this.#backOff(answer);
    this.#backoffMs = 0;
    this.#answered++;
    const { onStatus } = operation;
    if (onStatus !== undefined && answer.status === onStatus.status) {
      await this.#options.client.call(onStatus.then);
    }
  }

  #backOff({ retryAfterMs }: LoadAnswer): void {
    const nowMs = this.#runtime.clock.nowMs();
    if (nowMs < this.#pausedUntilMs) return; // the answers of one bad moment count once
    this.#backoffMs = Math.min(BACKOFF_MAX_MS, Math.max(BACKOFF_MIN_MS, this.#backoffMs * 2));
    const pauseMs = Math.max(this.#backoffMs, Math.min(retryAfterMs ?? 0, BACKOFF_MAX_MS));
    this.#pausedUntilMs = nowMs + pauseMs * (0.75 + this.#runtime.random.next() / 2);
  }
}

/** Whether the server asks for less; what one operation itself did wrong (4xx) says nothing about that. */
const isOverloaded = ({ status }: LoadAnswer): boolean =>
  status === null || status === 429 || status >= 500;
