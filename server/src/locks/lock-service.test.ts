import { beforeEach, describe, expect, it } from 'vitest';
import { manualRuntime, type ManualRuntime } from '@lockstep/testkit/doubles/manual-runtime';
import type { LockOptions } from './lock-options.ts';
import { QueueingLockService } from './lock-service.ts';
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

function service(options: Partial<LockOptions> = {}): QueueingLockService {
  return new QueueingLockService({ nodes, runtime, telemetry, options });
}

/** Starts a call, and keeps the lock or the error that it ends in. */
function caller(locks: QueueingLockService, waitTimeoutMs?: number) {
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

describe('a held lock', () => {
  it('starts when the nodes grant it, and lasts until it is released', async () => {
    const locks = service();
    const lock = await locks.acquire(KEY, { purpose: 'write' });
    expect(nodes.holderOf(KEY.lockKey)).not.toBeNull();
    expect(lock.leftMs()).toBeCloseTo(8_000 - 82);
    expect(() => lock.assertHeld()).not.toThrow();
    lock.release();
    lock.release();
    await runtime.settle();
    expect(nodes.holderOf(KEY.lockKey)).toBeNull();
    expect(nodes.calls.release).toBe(1);
    expect(lock.leftMs()).toBe(0);
    expect(() => lock.assertHeld()).toThrow(expect.objectContaining({ code: 'FENCED' }) as Error);
    expect(eventsOf('lock-acquired')).toMatchObject([{ attempts: 1, contended: false, waitMs: 0 }]);
    expect(eventsOf('lock-released')).toHaveLength(1);
  });

  it('leaves no timer and no state behind', async () => {
    const locks = service();
    (await locks.acquire(KEY, { purpose: 'write' })).release();
    await runtime.settle();
    expect(runtime.pendingTimers).toBe(0);
    expect(locks.snapshot()).toEqual({ held: [], waiting: [] });
  });

  it('is extended until it is released, within the limit on a hold', async () => {
    const locks = service({ maxHoldMs: 30_000 });
    const lock = await locks.acquire(KEY, { purpose: 'write' });
    await runtime.advance(29_000);
    expect(() => lock.assertHeld()).not.toThrow();
    expect(lock.leftMs()).toBe(1_000);
    const waiting = caller(locks, 20_000);
    await runtime.advance(1_000);
    expect(lock.leftMs()).toBe(0);
    await runtime.advance(100);
    expect(waiting.lock).not.toBeNull();
    expect(eventsOf('lock-lost')).toMatchObject([{ how: 'expired', heldMs: 30_000 }]);
  });

  it('counts its validity from the start of the request that granted it', async () => {
    nodes.roundTripMs = 400;
    const locks = service({ ttlMs: 1_000 });
    const held = caller(locks);
    await runtime.advance(400);
    expect(held.lock?.leftMs()).toBeCloseTo(1_000 - 12 - 400);
  });

  it('is given back when the grant took so long that little time is left', async () => {
    nodes.roundTripMs = 600;
    const locks = service({ ttlMs: 1_000 });
    const late = caller(locks, 3_000);
    await runtime.advance(1_500);
    expect(late.lock).toBeNull();
    expect(nodes.calls.release).toBeGreaterThan(0);
    nodes.roundTripMs = 2;
    await runtime.advance(1_000);
    expect(late.lock).not.toBeNull();
  });

  it('is fenced by the process’s own clock after a pause, before any timer runs', async () => {
    const locks = service();
    const lock = await locks.acquire(KEY, { purpose: 'write' });
    runtime.stall(9_000);
    expect(() => lock.assertHeld()).toThrow(
      expect.objectContaining({ code: 'FENCED', outcome: 'not_applied' }) as Error,
    );
    expect(eventsOf('lock-lost')).toMatchObject([{ how: 'expired' }]);
    lock.release();
    await runtime.advance(10_000);
    expect(eventsOf('lock-lost')).toHaveLength(1);
    expect(eventsOf('lock-released')).toHaveLength(0);
  });

  it('is reported lost when the nodes say so, and the next caller acquires it again', async () => {
    const locks = service();
    const lock = await locks.acquire(KEY, { purpose: 'write' });
    const next = caller(locks);
    nodes.drop(KEY.lockKey);
    await runtime.advance(2_700);
    expect(eventsOf('lock-lost')).toMatchObject([{ how: 'lost' }]);
    expect(() => lock.assertHeld()).toThrow();
    expect(next.lock).not.toBeNull();
    lock.release();
    expect(() => next.lock?.assertHeld()).not.toThrow();
  });

  it('survives an outage of the nodes that ends before its validity does', async () => {
    const locks = service();
    const lock = await locks.acquire(KEY, { purpose: 'write' });
    nodes.isAvailable = false;
    await runtime.advance(6_000);
    nodes.isAvailable = true;
    await runtime.advance(4_000);
    expect(() => lock.assertHeld()).not.toThrow();
    expect(eventsOf('lock-lost')).toHaveLength(0);
  });

  it('expires when the nodes stay unavailable', async () => {
    const locks = service();
    await locks.acquire(KEY, { purpose: 'write' });
    nodes.isAvailable = false;
    await runtime.advance(7_919);
    expect(eventsOf('lock-lost')).toMatchObject([{ how: 'expired' }]);
  });
});

describe('closing', () => {
  it('refuses callers, waits for the holder, then releases', async () => {
    const locks = service();
    const lock = await locks.acquire(KEY, { purpose: 'write' });
    const waiting = caller(locks);
    let closed = false;
    void locks.close(5_000).then(() => (closed = true));
    await runtime.advance(100);
    expect(waiting.error).toMatchObject({ code: 'SHUTTING_DOWN' });
    expect(closed).toBe(false);
    expect(() => lock.assertHeld()).not.toThrow();
    lock.release();
    await runtime.settle();
    expect(closed).toBe(true);
    expect(nodes.holderOf(KEY.lockKey)).toBeNull();
    await expect(locks.acquire(KEY, { purpose: 'write' })).rejects.toMatchObject({
      code: 'SHUTTING_DOWN',
    });
  });

  it('takes the lock from a holder that does not release it', async () => {
    const locks = service();
    const lock = await locks.acquire(KEY, { purpose: 'write' });
    let closed = false;
    void locks.close(1_000).then(() => (closed = true));
    await runtime.advance(1_001);
    expect(closed).toBe(true);
    expect(() => lock.assertHeld()).toThrow();
    expect(nodes.holderOf(KEY.lockKey)).toBeNull();
  });

  it('waits for a grant in flight and gives it back', async () => {
    nodes.roundTripMs = 100;
    const locks = service();
    const waiting = caller(locks);
    await runtime.advance(10);
    const closing = locks.close(1_000);
    await runtime.advance(500);
    await closing;
    expect(waiting.error).toMatchObject({ code: 'SHUTTING_DOWN' });
    expect(nodes.holderOf(KEY.lockKey)).toBeNull();
  });
});

describe('a defect of the nodes', () => {
  it('reaches the callers as INTERNAL and leaves the key usable', async () => {
    const locks = service();
    const broken = nodes.tryAcquire.bind(nodes);
    nodes.tryAcquire = () => Promise.reject(new Error('broken'));
    await expect(locks.acquire(KEY, { purpose: 'write' })).rejects.toMatchObject({
      code: 'INTERNAL',
    });
    nodes.tryAcquire = broken;
    await expect(locks.acquire(KEY, { purpose: 'write' })).resolves.toBeDefined();
  });
});

describe('the queue of a key', () => {
  it('serves callers in the order of arrival, without asking the nodes again', async () => {
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

  it('refuses a caller at once when the queue is full (W12)', async () => {
    const locks = service({ maxWaitersPerKey: 2 });
    await locks.acquire(KEY, { purpose: 'write' });
    const [first, second, third] = [caller(locks), caller(locks), caller(locks)];
    await runtime.settle();
    expect(third.error).toMatchObject({ code: 'QUEUE_FULL', status: 429 });
    expect(first.error ?? second.error).toBeNull();
    expect(locks.contention().totals.queueFull).toBe(1);
  });

  it('answers a caller at its timeout, wherever it is in the queue (W12)', async () => {
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

  it('times out while another process holds the lock, and does not release that lock', async () => {
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

  it('gives back a lock that is granted after its caller left', async () => {
    nodes.roundTripMs = 50;
    const locks = service();
    const waiting = caller(locks, 30);
    await runtime.advance(200);
    expect(waiting.error).toMatchObject({ code: 'LOCK_TIMEOUT' });
    expect(nodes.holderOf(KEY.lockKey)).toBeNull();
  });

  it('gets the lock soon after the lock of a dead holder expires', async () => {
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

describe('unavailable nodes', () => {
  it('soon answer LOCKS_UNAVAILABLE to everyone who waits (W12)', async () => {
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

  it('are the reason also for a caller with a shorter timeout', async () => {
    nodes.isAvailable = false;
    const waiting = caller(service(), 50);
    await runtime.advance(50);
    expect(waiting.error).toMatchObject({ code: 'LOCKS_UNAVAILABLE' });
  });

  it('cause no failure when they come back within the grace period', async () => {
    nodes.isAvailable = false;
    const waiting = caller(service());
    await runtime.advance(200);
    nodes.isAvailable = true;
    await runtime.advance(50);
    expect(waiting.lock).not.toBeNull();
  });
});

describe('a process lock', () => {
  /** Callers that queue again as soon as they have released. */
  function loop(locks: QueueingLockService, callers: number, holdMs: number, onHold: () => void) {
    for (let index = 0; index < callers; index++) {
      void (async () => {
        for (;;) {
          const lock = await locks.acquire(KEY, { purpose: 'write', waitTimeoutMs: 60_000 });
          onHold();
          await runtime.timers.sleep(holdMs);
          lock.release();
        }
      })();
    }
  }

  it('ends after its limit in callers', async () => {
    loop(service({ maxProcessLockHolds: 10, maxProcessLockMs: 60_000 }), 4, 1, () => undefined);
    await runtime.advance(1_000);
    const holds = eventsOf('lock-released').length;
    expect(holds).toBeGreaterThan(500);
    expect(nodes.tries.get(KEY.lockKey)).toBeCloseTo(holds / 10, -1);
  });

  it('ends after its limit in time', async () => {
    loop(service({ maxProcessLockHolds: 1e6, maxProcessLockMs: 100 }), 4, 1, () => undefined);
    await runtime.advance(999);
    expect(nodes.tries.get(KEY.lockKey)).toBe(10);
  });

  it('leaves other processes their share of a hot key', async () => {
    nodes.roundTripMs = 1;
    const holds = [0, 0, 0];
    for (const index of holds.keys()) {
      loop(service(), 16, 2, () => (holds[index] = (holds[index] ?? 0) + 1));
    }
    await runtime.advance(60_000);
    const sum = holds.reduce((total, count) => total + count, 0);
    expect(sum).toBeGreaterThan(60_000 / 2.4);
    for (const count of holds) expect(count / sum).toBeGreaterThan(0.2);
  });

  it('ends soon enough for a process that wants the key now and then', async () => {
    nodes.roundTripMs = 1;
    loop(service(), 32, 2, () => undefined);
    const rare = service();
    for (let count = 0; count < 20; count++) {
      await runtime.advance(500 + 500 * runtime.random.next());
      const wanted = caller(rare);
      await runtime.advanceUntil(() => wanted.lock !== null, 400);
      wanted.lock?.release();
    }
  });

  it('costs hardly any time where no other process waits', async () => {
    nodes.roundTripMs = 1;
    loop(service(), 16, 2, () => undefined);
    await runtime.advance(10_000);
    expect(eventsOf('lock-released').length).toBeGreaterThan(4_900);
  });

  it('never serves two callers at once', async () => {
    nodes.roundTripMs = 1;
    let running = 0;
    let most = 0;
    for (let index = 0; index < 3; index++) {
      const locks = service({ maxProcessLockMs: 20 });
      for (let count = 0; count < 5; count++) {
        void (async () => {
          for (;;) {
            const lock = await locks.acquire(KEY, { purpose: 'write', waitTimeoutMs: 60_000 });
            most = Math.max(most, ++running);
            await runtime.timers.sleep(5 * runtime.random.next());
            running--;
            lock.release();
          }
        })();
      }
    }
    await runtime.advance(10_000);
    expect(most).toBe(1);
  });
});

describe('an intent for the next holder', () => {
  const intent = { intentId: 'next', fence: 7 };
  const accepting = { purpose: 'write', acceptsIntent: true } as const;

  it('is handed over with the lock', async () => {
    const locks = service();
    const first = await locks.acquire(KEY, accepting);
    expect(first.handedOverIntent).toBeNull();
    expect(first.canHandOverIntent()).toBe(false);
    const second = locks.acquire(KEY, accepting);
    expect(first.canHandOverIntent()).toBe(true);
    first.release(intent);
    expect((await second).handedOverIntent).toEqual(intent);
    expect(first.canHandOverIntent()).toBe(false);
  });

  it('cannot be handed over where the next waiter accepts none, or has left', async () => {
    const locks = service();
    const first = await locks.acquire(KEY, accepting);
    const other = locks.acquire(KEY, { purpose: 'recovery' });
    expect(first.canHandOverIntent()).toBe(false);
    first.release();
    const lock = await other;
    const late = locks.acquire(KEY, { ...accepting, waitTimeoutMs: 10 });
    expect(lock.canHandOverIntent()).toBe(true);
    const refused = expect(late).rejects.toMatchObject({ code: 'LOCK_TIMEOUT' });
    await runtime.advance(20);
    await refused;
    expect(lock.canHandOverIntent()).toBe(false);
  });

  it('cannot be handed over where the process lock is used up', async () => {
    const locks = service({ maxProcessLockHolds: 1 });
    const first = await locks.acquire(KEY, accepting);
    const second = locks.acquire(KEY, accepting);
    expect(first.canHandOverIntent()).toBe(false);
    first.release();
    await runtime.advance(200);
    expect((await second).handedOverIntent).toBeNull();
  });
});

describe('callers that are taken along', () => {
  const anyone = () => true;
  /** A caller that lets itself be taken along. */
  function follower(locks: QueueingLockService, waitTimeoutMs = 5_000) {
    const state = {
      waitedMs: null as number | null,
      lock: undefined as HeldLock | null | undefined,
    };
    const self = { taken: (waitMs: number) => void (state.waitedMs = waitMs) };
    locks
      .acquireOrFollow(KEY, { purpose: 'write', waitTimeoutMs }, self)
      .then((lock) => (state.lock = lock))
      .catch((error: unknown) => error);
    return { state, self };
  }

  it('are the next ones of the queue, in its order, and get no lock of their own', async () => {
    const locks = service();
    const first = await locks.acquire(KEY, { purpose: 'write' });
    const followers = [follower(locks), follower(locks), follower(locks)];
    await runtime.advance(20);
    expect(first.takeFollowers(2, anyone)).toEqual(followers.slice(0, 2).map(({ self }) => self));
    await runtime.settle();
    expect(followers.map(({ state }) => state.lock)).toEqual([null, null, undefined]);
    expect(followers[0]?.state.waitedMs).toBe(20);
    first.release();
    await runtime.settle();
    followers[2]?.state.lock?.release();
    await runtime.settle();
    expect(locks.snapshot()).toEqual({ held: [], waiting: [] });
    expect(runtime.pendingTimers).toBe(0);
  });

  it('never pass a caller that waits for a lock of its own', async () => {
    const locks = service();
    const first = await locks.acquire(KEY, { purpose: 'write' });
    const ahead = follower(locks);
    const own = caller(locks);
    const behind = follower(locks);
    expect(first.takeFollowers(64, anyone)).toEqual([ahead.self]);
    first.release();
    await runtime.settle();
    expect(own.lock).not.toBeNull();
    expect(behind.state.lock).toBeUndefined();
    expect(own.lock?.takeFollowers(64, anyone)).toEqual([behind.self]);
    expect(first.takeFollowers(64, anyone)).toEqual([]);
  });

  it('count against the callers that one lock may serve', async () => {
    const locks = service({ maxProcessLockHolds: 3 });
    const first = await locks.acquire(KEY, { purpose: 'write' });
    const followers = [follower(locks), follower(locks), follower(locks)];
    expect(first.takeFollowers(64, anyone)).toHaveLength(2);
    expect(first.canHandOverIntent()).toBe(false);
    first.release();
    await runtime.advance(100);
    expect(nodes.calls.release).toBeGreaterThan(0);
    expect(followers[2]?.state.lock).toBeTruthy();
  });

  it('are none where the time of the process lock is used up', async () => {
    const locks = service({ maxProcessLockMs: 50 });
    const first = await locks.acquire(KEY, { purpose: 'write' });
    follower(locks);
    await runtime.advance(50);
    expect(first.takeFollowers(64, anyone)).toEqual([]);
  });

  it('are announced to a holder that asks, once', async () => {
    const locks = service();
    const first = await locks.acquire(KEY, { purpose: 'write' });
    let heard = 0;
    first.onNextWaiter(() => (heard += 1));
    follower(locks);
    follower(locks);
    expect(heard).toBe(1);
  });
});
