import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { LockstepError } from '../domain/index.ts';
import { manualRuntime, type ManualRuntime } from '@lockstep/testkit/doubles/manual-runtime';
import { QueueingLockService } from './lock-service.ts';
import type { HeldLock } from './port.ts';
import { accountKey, recordingTelemetry } from '@lockstep/testkit/doubles/keys';
import { MemoryLockNodes } from '@lockstep/testkit/doubles/memory-lock-nodes';

const KEYS = [accountKey(1), accountKey(2)];
const SERVICES = 3;
const MAX_HOLD_MS = 1_500;

/** One event, and its distance from the previous one. */
const step = fc.record({
  afterMs: fc.integer({ min: 0, max: 150 }),
  what: fc.oneof(
    {
      weight: 12,
      arbitrary: fc.record({
        type: fc.constant('call' as const),
        service: fc.integer({ min: 0, max: SERVICES - 1 }),
        key: fc.integer({ min: 0, max: KEYS.length - 1 }),
        waitTimeoutMs: fc.integer({ min: 0, max: 3_000 }),
        workMs: fc.integer({ min: 0, max: 700 }),
      }),
    },
    { weight: 1, arbitrary: fc.record({ type: fc.constant('outage' as const), on: fc.boolean() }) },
    {
      weight: 1,
      arbitrary: fc.record({
        type: fc.constant('stall' as const),
        ms: fc.integer({ min: 1, max: 900 }),
      }),
    },
    {
      weight: 1,
      arbitrary: fc.record({
        type: fc.constant('slow' as const),
        ms: fc.integer({ min: 0, max: 120 }),
      }),
    },
  ),
});
type Step = typeof step extends fc.Arbitrary<infer T> ? T : never;

/** Runs a schedule on several coordinators, and checks the rules after each step. */
class Schedule {
  readonly #runtime: ManualRuntime;
  readonly #nodes: MemoryLockNodes;
  readonly #telemetry = recordingTelemetry();
  readonly #services;
  readonly #running = KEYS.map(() => new Set<HeldLock>());
  /** Kept for the end: nobody would catch an error thrown in the middle of a schedule. */
  readonly #faults: unknown[] = [];
  #called = 0;
  #answered = 0;

  constructor(seed: number) {
    this.#runtime = manualRuntime(seed);
    this.#nodes = new MemoryLockNodes(this.#runtime);
    this.#services = Array.from(
      { length: SERVICES },
      () =>
        new QueueingLockService({
          nodes: this.#nodes,
          runtime: this.#runtime,
          telemetry: this.#telemetry,
          options: {
            ...{ ttlMs: 500, maxWaitersPerKey: 4, maxHoldMs: MAX_HOLD_MS },
            ...{ maxProcessLockMs: 100, maxProcessLockHolds: 3 },
          },
        }),
    );
  }

  async run(steps: readonly Step[]): Promise<void> {
    for (const { afterMs, what } of steps) {
      await this.#runtime.advance(afterMs);
      if (what.type === 'call') void this.#call(what);
      else if (what.type === 'outage') this.#nodes.isAvailable = !what.on;
      else if (what.type === 'stall') this.#runtime.stall(what.ms);
      else this.#nodes.roundTripMs = what.ms;
      this.#checkExclusion();
    }
    this.#nodes.isAvailable = true;
    await this.#runtime.advance(10_000);
    this.#checkEnd();
  }

  async #call({ service, key, waitTimeoutMs, workMs }: Extract<Step['what'], { type: 'call' }>) {
    this.#called++;
    const [locks, wanted, running] = [this.#services[service], KEYS[key], this.#running[key]];
    if (!locks || !wanted || !running) throw new Error('no such service or key');
    let lock: HeldLock;
    try {
      lock = await locks.acquire(wanted, { purpose: 'write', waitTimeoutMs });
    } catch (error) {
      const isProper = error instanceof LockstepError && error.code !== 'INTERNAL';
      if (!isProper || error.outcome !== 'not_applied') this.#faults.push(error);
      return;
    } finally {
      this.#answered++;
    }
    running.add(lock);
    this.#checkExclusion();
    await this.#runtime.timers.sleep(workMs);
    this.#checkExclusion();
    running.delete(lock);
    lock.release();
  }

  /** No two holds of a key are proved held at one moment, and the nodes hold the key of each. */
  #checkExclusion(): void {
    for (const [index, running] of this.#running.entries()) {
      const held = [...running].filter((lock) => lock.leftMs() > 0);
      if (held.length > 1) this.#faults.push('two callers hold a key at once');
      if (held.length > 0 && this.#nodes.holderOf(KEYS[index]?.lockKey ?? '') === null) {
        this.#faults.push('a lock is held that is not on the nodes');
      }
    }
  }

  /** Every call was answered once, every hold was reported once, and nothing is left behind. */
  #checkEnd(): void {
    expect(this.#faults).toEqual([]);
    expect(this.#answered).toBe(this.#called);
    const count = (type: string) => this.#telemetry.events.filter((e) => e.type === type).length;
    expect(count('lock-acquired') + count('lock-failed')).toBe(this.#called);
    expect(count('lock-released') + count('lock-lost')).toBe(count('lock-acquired'));
    for (const { lockKey } of KEYS) expect(this.#nodes.holderOf(lockKey)).toBeNull();
    for (const locks of this.#services) {
      expect(locks.snapshot()).toEqual({ held: [], waiting: [] });
    }
    expect(this.#runtime.pendingTimers).toBe(0);
    expect(this.#runtime.lines.filter(({ level }) => level === 'error')).toEqual([]);
  }
}

describe('any schedule of callers, outages, pauses and slow nodes', () => {
  it('has one holder at a time, answers every caller once and leaves nothing behind', async () => {
    await fc.assert(
      fc.asyncProperty(fc.nat(), fc.array(step, { minLength: 10, maxLength: 40 }), (seed, steps) =>
        new Schedule(seed).run(steps),
      ),
      { numRuns: 150 },
    );
  });
});
