import { beforeEach, describe, expect, it } from 'vitest';
import { manualRuntime, type ManualRuntime } from '@lockstep/testkit/doubles/manual-runtime';
import type { LockOptions } from './lock-options.ts';
import { createLockService, type ReportingLockService } from './lock-service.ts';
import type { HeldLock } from './port.ts';
import { accountKey, recordingTelemetry } from '@lockstep/testkit/doubles/keys';
import { MemoryLockNodes } from '@lockstep/testkit/doubles/memory-lock-nodes';

const KEY = accountKey(1);

let runtime: ManualRuntime;
let nodes: MemoryLockNodes;
let telemetry: ReturnType<typeof recordingTelemetry>;

beforeEach(() => {
  runtime = manualRuntime();
  nodes = new MemoryLockNodes(runtime);
  telemetry = recordingTelemetry();
});

function service(options: Partial<LockOptions> = {}): ReportingLockService {
  return createLockService({ nodes, runtime, telemetry, options });
}

/** Collects turns and errors in the order in which callers are answered. */
function caller(locks: ReportingLockService, waitTimeoutMs?: number) {
  const state: { lock: HeldLock | null; error: unknown } = { lock: null, error: null };
  locks
    .acquire(KEY, { purpose: 'write', ...(waitTimeoutMs === undefined ? {} : { waitTimeoutMs }) })
    .then(
      (lock) => (state.lock = lock),
      (error: unknown) => (state.error = error),
    );
  return state;
}

const eventsOf = (type: string) => telemetry.events.filter((event) => event.type === type);

describe('the queue of a key', () => {
  it('serves callers in the order of their coming, without asking the nodes again', async () => {
    const locks = service();
    const order: number[] = [];
    const running = Array.from({ length: 10 }, async (_, index) => {
      const lock = await locks.acquire(KEY, { purpose: 'write' });
      order.push(index);
      await runtime.timers.sleep(1);
      lock.release();
    });
    await runtime.advance(20);
    await Promise.all(running);
    expect(order).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
    expect(nodes.calls.tryAcquire).toBe(1);
    expect(nodes.calls.release).toBe(1);
    expect(eventsOf('lock-acquired')).toHaveLength(10);
  });

  it('refuses one caller too many at once (W12)', async () => {
    const locks = service({ maxWaitersPerKey: 2 });
    await locks.acquire(KEY, { purpose: 'write' });
    const [first, second, third] = [caller(locks), caller(locks), caller(locks)];
    await runtime.settle();
    expect(third.error).toMatchObject({ code: 'QUEUE_FULL', status: 429 });
    expect(first.error ?? second.error).toBeNull();
    expect(locks.contention().totals.queueFull).toBe(1);
  });

  it('lets a caller go at its timeout, wherever it stands (W12)', async () => {
    const locks = service();
    const lock = await locks.acquire(KEY, { purpose: 'write' });
    const [first, middle, last] = [caller(locks, 500), caller(locks, 100), caller(locks, 500)];
    await runtime.advance(100);
    expect(middle.error).toMatchObject({ code: 'LOCK_TIMEOUT', outcome: 'not_applied' });
    lock.release();
    await runtime.settle();
    first.lock?.release();
    await runtime.settle();
    expect(last.lock).not.toBeNull();
  });

  it('times out while another process holds the lock, and gives back nothing it does not have', async () => {
    nodes.occupy(KEY.lockKey, 60_000);
    const locks = service();
    const waiting = caller(locks, 200);
    await runtime.advance(199);
    expect(waiting.error).toBeNull();
    await runtime.advance(50);
    expect(waiting.error).toMatchObject({ code: 'LOCK_TIMEOUT' });
    expect(nodes.holderOf(KEY.lockKey)).toBe('stranger');
    await runtime.advance(100);
    expect(runtime.pendingTimers).toBe(0);
    expect(eventsOf('lock-failed')).toMatchObject([{ code: 'LOCK_TIMEOUT', waitMs: 200 }]);
  });

  it('gives a lock back that is granted after its caller left', async () => {
    nodes.roundTripMs = 50;
    const locks = service();
    const waiting = caller(locks, 30);
    await runtime.advance(200);
    expect(waiting.error).toMatchObject({ code: 'LOCK_TIMEOUT' });
    expect(nodes.holderOf(KEY.lockKey)).toBeNull();
  });

  it('gets the lock soon after a dead holder expired', async () => {
    nodes.occupy(KEY.lockKey, 1_000);
    const waiting = caller(service());
    await runtime.advance(1_040);
    expect(waiting.lock?.waitMs).toBeGreaterThan(990);
    expect(waiting.lock?.queueMs).toBe(0);
  });

  it('shows holder and waiters', async () => {
    const locks = service();
    const lock = await locks.acquire(KEY, { purpose: 'recovery' });
    lock.noteFence(77);
    caller(locks);
    await runtime.advance(100);
    const { held, waiting } = locks.snapshot();
    const names = { resource: 'account', key: '1' };
    expect(held).toMatchObject([
      { ...names, purpose: 'recovery', fence: 77, heldMs: 100, waiting: 1, ttlMs: 8_000 },
    ]);
    expect(waiting).toEqual([{ ...names, waiting: 1, longestWaitMs: 100 }]);
  });
});

describe('nodes out of reach', () => {
  it('end in LOCKS_UNAVAILABLE for everyone who waits, soon (W12)', async () => {
    nodes.isAvailable = false;
    const locks = service();
    const [first, second] = [caller(locks), caller(locks)];
    await runtime.advance(400);
    expect(first.error).toMatchObject({ code: 'LOCKS_UNAVAILABLE', status: 503 });
    expect(second.error).toMatchObject({ code: 'LOCKS_UNAVAILABLE' });
    const third = caller(locks);
    await runtime.settle();
    expect(third.error).toMatchObject({ code: 'LOCKS_UNAVAILABLE' });
  });

  it('are named also when the caller is in more of a hurry', async () => {
    nodes.isAvailable = false;
    const waiting = caller(service(), 50);
    await runtime.advance(50);
    expect(waiting.error).toMatchObject({ code: 'LOCKS_UNAVAILABLE' });
  });

  it('are no failure when they come back within the grace', async () => {
    nodes.isAvailable = false;
    const waiting = caller(service());
    await runtime.advance(200);
    nodes.isAvailable = true;
    await runtime.advance(50);
    expect(waiting.lock).not.toBeNull();
  });
});
