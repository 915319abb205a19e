import { LockstepError, type Key, type Telemetry } from '../domain/index.ts';
import type { Runtime } from '../runtime/index.ts';
import { Outages } from './acquisition.ts';
import { ContentionMonitor, type ContentionReport } from './contention-monitor.ts';
import { KeyQueue, type KeyQueueOptions } from './key-queue.ts';
import type { Grant, LockNodes } from './lock-nodes.ts';
import { lockOptions, type LockOptions } from './lock-options.ts';
import { LockTelemetry } from './lock-telemetry.ts';
import type { AcquireOptions, Follower, HeldLock, LockService, LockSnapshot } from './port.ts';

export interface LockServiceOptions {
  nodes: LockNodes;
  runtime: Runtime;
  telemetry: Telemetry;
  options?: Partial<LockOptions>;
}

/** How long `close` waits at the end for the nodes to confirm releases. Unconfirmed locks expire. */
const LAST_RELEASES_MS = 500;

/** Locks on keys for the callers of this process. */
export class QueueingLockService implements LockService {
  readonly ttlMs: number;
  readonly waitTimeoutMs: number;
  readonly #nodes: LockNodes;
  readonly #runtime: Runtime;
  readonly #monitor: ContentionMonitor;
  readonly #telemetry: LockTelemetry;
  readonly #queueOptions: KeyQueueOptions;
  /** By lock key; a queue is here from its first caller until it retires. */
  readonly #queues = new Map<string, KeyQueue>();
  #releasing = 0;
  #isClosed = false;
  #whenIdle = new AbortController();

  /** @throws RangeError for options with wrong values */
  constructor({ nodes, runtime, telemetry, options = {} }: LockServiceOptions) {
    const limits = lockOptions(options);
    this.ttlMs = limits.ttlMs;
    this.waitTimeoutMs = limits.waitTimeoutMs;
    this.#nodes = nodes;
    this.#runtime = runtime;
    this.#monitor = new ContentionMonitor(runtime.clock);
    this.#telemetry = new LockTelemetry(telemetry, this.#monitor, runtime);
    this.#queueOptions = {
      nodes,
      runtime,
      limits,
      ttlMs: limits.ttlMs,
      outages: new Outages(),
      telemetry: this.#telemetry,
      giveBack: (grant) => void this.#giveBack(grant),
      onRetired: (queue) => {
        this.#queues.delete(queue.key.lockKey);
        this.#checkIdle();
      },
    };
  }

  async acquire(key: Key, options: AcquireOptions): Promise<HeldLock> {
    const lock = await this.#acquire(key, options, null);
    if (lock === null) throw new LockstepError('INTERNAL', 'A caller was taken along unasked.');
    return lock;
  }

  acquireOrFollow(key: Key, options: AcquireOptions, follower: Follower): Promise<HeldLock | null> {
    return this.#acquire(key, options, follower);
  }

  #acquire(key: Key, options: AcquireOptions, follower: Follower | null): Promise<HeldLock | null> {
    if (this.#isClosed) {
      const nowMs = this.#runtime.clock.nowMs();
      return Promise.reject(this.#telemetry.failed(key, 'SHUTTING_DOWN', nowMs, 0));
    }
    let queue = this.#queues.get(key.lockKey);
    if (queue === undefined) {
      queue = new KeyQueue(this.#queueOptions, key);
      this.#queues.set(key.lockKey, queue);
    }
    return queue.acquire(key, options, follower);
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

  /** Which keys are contended. */
  contention(): ContentionReport {
    return this.#monitor.report();
  }

  async close(timeoutMs: number): Promise<void> {
    this.#isClosed = true;
    for (const queue of [...this.#queues.values()]) queue.refuseWaiters('SHUTTING_DOWN');
    await this.#idleWithin(timeoutMs);
    for (const queue of [...this.#queues.values()]) queue.takeAway();
    await this.#idleWithin(LAST_RELEASES_MS);
  }

  async #idleWithin(timeoutMs: number): Promise<void> {
    this.#whenIdle = new AbortController();
    this.#checkIdle();
    await this.#runtime.timers.sleep(timeoutMs, this.#whenIdle.signal);
  }

  #checkIdle(): void {
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
      this.#checkIdle();
    }
  }
}

const namesOf = ({ resource, text }: Key): { resource: string; key: string } => ({
  resource: resource.name,
  key: text,
});
