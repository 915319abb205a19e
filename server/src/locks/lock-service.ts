import type { Key, Telemetry } from '../domain/index.ts';
import type { Runtime } from '../runtime/index.ts';
import { ContentionMonitor, type ContentionReport } from './contention-monitor.ts';
import { Outage } from './acquisition.ts';
import { KeyQueue, type KeyQueueOptions } from './key-queue.ts';
import { LockTelemetry } from './lock-telemetry.ts';
import type { Grant, LockNodes } from './lock-nodes.ts';
import { lockOptions, type LockOptions } from './lock-options.ts';
import { Succession } from './wait-marker.ts';
import type { AcquireOptions, LockService, LockSnapshot, HeldLock } from './port.ts';

/** A lock service that also tells which keys are contended. */
export interface ReportingLockService extends LockService {
  contention(): ContentionReport;
}

export interface LockServiceOptions {
  nodes: LockNodes;
  runtime: Runtime;
  telemetry: Telemetry;
  options?: Partial<LockOptions>;
}

/** How long closing waits, at the very end, for the nodes to confirm releases. Unconfirmed locks expire. */
const LAST_RELEASES_MS = 500;

/**
 * Turns at keys for this process's callers.
 * @throws RangeError for options that make no sense
 */
export function createLockService(settings: LockServiceOptions): ReportingLockService {
  return new QueueingLockService(settings);
}

class QueueingLockService implements ReportingLockService {
  readonly ttlMs: number;
  readonly waitTimeoutMs: number;
  readonly #nodes: LockNodes;
  readonly #runtime: Runtime;
  readonly #monitor: ContentionMonitor;
  readonly #report: LockTelemetry;
  readonly #queueOptions: KeyQueueOptions;
  /** By lock key; a queue is here from its first caller until it retires. */
  readonly #queues = new Map<string, KeyQueue>();
  #releasing = 0;
  #isClosed = false;
  #whenIdle = new AbortController();

  constructor({ nodes, runtime, telemetry, options: given = {} }: LockServiceOptions) {
    const options = lockOptions(given);
    this.ttlMs = options.ttlMs;
    this.waitTimeoutMs = options.waitTimeoutMs;
    this.#nodes = nodes;
    this.#runtime = runtime;
    this.#monitor = new ContentionMonitor(runtime.clock);
    this.#report = new LockTelemetry(telemetry, this.#monitor, runtime);
    const giveBack = (grant: Grant): void => void this.#giveBack(grant);
    const succession = new Succession(nodes, runtime, giveBack);
    this.#queueOptions = {
      nodes,
      runtime,
      options,
      acquisition: { nodes, runtime, ttlMs: options.ttlMs, outage: new Outage(), succession },
      report: this.#report,
      giveBack,
      onRetired: (queue) => {
        this.#queues.delete(queue.key.lockKey);
        this.#noteIdle();
      },
    };
  }

  acquire(key: Key, options: AcquireOptions): Promise<HeldLock> {
    if (this.#isClosed) {
      const nowMs = this.#runtime.clock.nowMs();
      return Promise.reject(this.#report.failed(key, 'SHUTTING_DOWN', nowMs, 0));
    }
    let queue = this.#queues.get(key.lockKey);
    if (queue === undefined) {
      queue = new KeyQueue(this.#queueOptions, key);
      this.#queues.set(key.lockKey, queue);
    }
    return queue.acquire(key, options);
  }

  snapshot(): LockSnapshot {
    const snapshot: LockSnapshot = { held: [], waiting: [] };
    const nowMs = this.#runtime.clock.nowMs();
    for (const { key, hold, waiting, longestWaitMs } of this.#queues.values()) {
      const names = namesOf(hold?.key ?? key);
      if (hold !== null) {
        const { fence, purpose, startedAtMs } = hold;
        const times = { heldMs: nowMs - startedAtMs, leftMs: hold.leftMs(), ttlMs: this.ttlMs };
        snapshot.held.push({ ...names, fence, purpose, ...times, waiting });
      }
      if (waiting > 0) snapshot.waiting.push({ ...names, waiting, longestWaitMs });
    }
    return snapshot;
  }

  contention(): ContentionReport {
    return this.#monitor.report();
  }

  async close(timeoutMs: number): Promise<void> {
    this.#isClosed = true;
    for (const queue of [...this.#queues.values()]) queue.refuseWaiters('SHUTTING_DOWN');
    await this.#idleWithin(timeoutMs);
    for (const queue of [...this.#queues.values()]) queue.abandonHold();
    await this.#idleWithin(LAST_RELEASES_MS);
  }

  async #idleWithin(timeoutMs: number): Promise<void> {
    this.#whenIdle = new AbortController();
    this.#noteIdle();
    await this.#runtime.timers.sleep(timeoutMs, this.#whenIdle.signal);
  }

  #noteIdle(): void {
    if (this.#isClosed && this.#queues.size === 0 && this.#releasing === 0) this.#whenIdle.abort();
  }

  /** Never rejects. A lock that cannot be released expires. */
  async #giveBack(grant: Grant): Promise<void> {
    this.#releasing++;
    try {
      const answer = await this.#nodes.release(grant);
      if (answer === 'unavailable') {
        this.#runtime.log.debug({ lockKey: grant.lockKey }, 'no majority confirmed a release');
      }
    } catch (error) {
      this.#runtime.log.error({ err: error, lockKey: grant.lockKey }, 'releasing a lock failed');
    } finally {
      this.#releasing--;
      this.#noteIdle();
    }
  }
}

const namesOf = ({ resource, text }: Key): { resource: string; key: string } => ({
  resource: resource.name,
  key: text,
});
