/**
 * The load: many callers at once, each doing one thing after another through any coordinator, and straight from the
 * cache. A few hot keys of each resource, which everybody changes; a spread of keys; and cold keys that are hardly written
 * twice: what a crash leaves undone there is not set right by the next write.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { Caller } from './caller.ts';
import type { LoadOptions } from './options.ts';

export class Load {
  readonly #options: LoadOptions;
  #callers: Promise<void>[] = [];
  #running = false;
  #serial = 0;
  #nextAtMs = 0;

  constructor(options: LoadOptions) {
    this.#options = options;
  }

  start(): void {
    this.#running = true;
    this.#nextAtMs = performance.now();
    const { callers, random, ledger } = this.#options;
    this.#callers = Array.from({ length: callers }, async () => {
      const caller = new Caller(this.#options, random.fork(), () => ++this.#serial);
      while (this.#running) {
        await this.#untilDue();
        await caller.act().catch((error: unknown) => {
          ledger.defects.push(`a caller failed: ${String(error)}`);
        });
      }
    });
  }

  /** Ends when the last call in flight was answered or given up; closes the connections. */
  async stop(): Promise<void> {
    this.#running = false;
    await Promise.all(this.#callers);
    const { endpoints, cache, services, transactions } = this.#options;
    cache.close();
    await Promise.all([...endpoints, ...services, transactions].map((each) => each.close()));
  }

  /** Waits until the next call of the wanted rate is due. Lost time is not made up for. */
  async #untilDue(): Promise<void> {
    const nowMs = performance.now();
    const spacingMs = 1000 / this.#options.operationsPerSecond;
    const atMs = Math.max(this.#nextAtMs, nowMs - spacingMs * this.#options.callers);
    this.#nextAtMs = atMs + spacingMs;
    if (atMs > nowMs + 0.5) await sleep(atMs - nowMs);
  }
}
