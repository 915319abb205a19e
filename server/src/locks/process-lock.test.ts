import { describe, expect, it } from 'vitest';
import type { QueueingLockService } from './lock-service.ts';
import type { HeldLock } from './port.ts';
import { KEY, useLocks } from './testing/use-locks.ts';

const bed = useLocks();

describe('a process lock', () => {
  /** Callers that queue again as soon as they have released. */
  function loop(locks: QueueingLockService, callers: number, holdMs: number, onHold: () => void) {
    for (let index = 0; index < callers; index++) {
      void (async () => {
        for (;;) {
          const lock = await locks.acquire(KEY, { purpose: 'write', waitTimeoutMs: 60_000 });
          onHold();
          await bed.runtime.timers.sleep(holdMs);
          lock.release();
        }
      })();
    }
  }

  it('ends after its limit in callers', async () => {
    loop(bed.service({ maxProcessLockHolds: 10, maxProcessLockMs: 60_000 }), 4, 1, () => undefined);
    await bed.runtime.advance(1_000);
    const holds = bed.eventsOf('lock-released').length;
    expect(holds).toBeGreaterThan(500);
    expect(bed.nodes.tries.get(KEY.lockKey)).toBeCloseTo(holds / 10, -1);
  });

  it('ends after its limit in time', async () => {
    loop(bed.service({ maxProcessLockHolds: 1e6, maxProcessLockMs: 100 }), 4, 1, () => undefined);
    await bed.runtime.advance(999);
    expect(bed.nodes.tries.get(KEY.lockKey)).toBe(10);
  });

  it('leaves other processes their share of a hot key', async () => {
    bed.nodes.roundTripMs = 1;
    const holds = [0, 0, 0];
    for (const index of holds.keys()) {
      loop(bed.service(), 16, 2, () => (holds[index] = (holds[index] ?? 0) + 1));
    }
    await bed.runtime.advance(60_000);
    const sum = holds.reduce((total, count) => total + count, 0);
    expect(sum).toBeGreaterThan(60_000 / 2.4);
    for (const count of holds) expect(count / sum).toBeGreaterThan(0.2);
  });

  it('ends soon enough for a process that wants the key now and then', async () => {
    bed.nodes.roundTripMs = 1;
    loop(bed.service(), 32, 2, () => undefined);
    const rare = bed.service();
    for (let count = 0; count < 20; count++) {
      await bed.runtime.advance(500 + 500 * bed.runtime.random.next());
      const wanted = bed.caller(rare);
      await bed.runtime.advanceUntil(() => wanted.lock !== null, 400);
      wanted.lock?.release();
    }
  });

  it('costs hardly any time where no other process waits', async () => {
    bed.nodes.roundTripMs = 1;
    loop(bed.service(), 16, 2, () => undefined);
    await bed.runtime.advance(10_000);
    expect(bed.eventsOf('lock-released').length).toBeGreaterThan(4_900);
  });

  it('never serves two callers at once', async () => {
    bed.nodes.roundTripMs = 1;
    let running = 0;
    let most = 0;
    for (let index = 0; index < 3; index++) {
      const locks = bed.service({ maxProcessLockMs: 20 });
      for (let count = 0; count < 5; count++) {
        void (async () => {
          for (;;) {
            const lock = await locks.acquire(KEY, { purpose: 'write', waitTimeoutMs: 60_000 });
            most = Math.max(most, ++running);
            await bed.runtime.timers.sleep(5 * bed.runtime.random.next());
            running--;
            lock.release();
          }
        })();
      }
    }
    await bed.runtime.advance(10_000);
    expect(most).toBe(1);
  });
});

describe('an intent for the next holder', () => {
  const intent = { intentId: 'next', fence: 7 };
  const accepting = { purpose: 'write', acceptsIntent: true } as const;

  it('is handed over with the lock', async () => {
    const locks = bed.service();
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
    const locks = bed.service();
    const first = await locks.acquire(KEY, accepting);
    const other = locks.acquire(KEY, { purpose: 'recovery' });
    expect(first.canHandOverIntent()).toBe(false);
    first.release();
    const lock = await other;
    const late = locks.acquire(KEY, { ...accepting, waitTimeoutMs: 10 });
    expect(lock.canHandOverIntent()).toBe(true);
    const refused = expect(late).rejects.toMatchObject({ code: 'LOCK_TIMEOUT' });
    await bed.runtime.advance(20);
    await refused;
    expect(lock.canHandOverIntent()).toBe(false);
  });

  it('cannot be handed over where the process lock is used up', async () => {
    const locks = bed.service({ maxProcessLockHolds: 1 });
    const first = await locks.acquire(KEY, accepting);
    const second = locks.acquire(KEY, accepting);
    expect(first.canHandOverIntent()).toBe(false);
    first.release();
    await bed.runtime.advance(200);
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
    const locks = bed.service();
    const first = await locks.acquire(KEY, { purpose: 'write' });
    const followers = [follower(locks), follower(locks), follower(locks)];
    await bed.runtime.advance(20);
    expect(first.takeFollowers(2, anyone)).toEqual(followers.slice(0, 2).map(({ self }) => self));
    await bed.runtime.settle();
    expect(followers.map(({ state }) => state.lock)).toEqual([null, null, undefined]);
    expect(followers[0]?.state.waitedMs).toBe(20);
    first.release();
    await bed.runtime.settle();
    followers[2]?.state.lock?.release();
    await bed.runtime.settle();
    expect(locks.snapshot()).toEqual({ held: [], waiting: [] });
    expect(bed.runtime.pendingTimers).toBe(0);
  });

  it('never pass a caller that waits for a lock of its own', async () => {
    const locks = bed.service();
    const first = await locks.acquire(KEY, { purpose: 'write' });
    const ahead = follower(locks);
    const own = bed.caller(locks);
    const behind = follower(locks);
    expect(first.takeFollowers(64, anyone)).toEqual([ahead.self]);
    first.release();
    await bed.runtime.settle();
    expect(own.lock).not.toBeNull();
    expect(behind.state.lock).toBeUndefined();
    expect(own.lock?.takeFollowers(64, anyone)).toEqual([behind.self]);
    expect(first.takeFollowers(64, anyone)).toEqual([]);
  });

  it('count against the callers that one lock may serve', async () => {
    const locks = bed.service({ maxProcessLockHolds: 3 });
    const first = await locks.acquire(KEY, { purpose: 'write' });
    const followers = [follower(locks), follower(locks), follower(locks)];
    expect(first.takeFollowers(64, anyone)).toHaveLength(2);
    expect(first.canHandOverIntent()).toBe(false);
    first.release();
    await bed.runtime.advance(100);
    expect(bed.nodes.calls.release).toBeGreaterThan(0);
    expect(followers[2]?.state.lock).toBeTruthy();
  });

  it('are none where the time of the process lock is used up', async () => {
    const locks = bed.service({ maxProcessLockMs: 50 });
    const first = await locks.acquire(KEY, { purpose: 'write' });
    follower(locks);
    await bed.runtime.advance(50);
    expect(first.takeFollowers(64, anyone)).toEqual([]);
  });

  it('are announced to a holder that asks, once', async () => {
    const locks = bed.service();
    const first = await locks.acquire(KEY, { purpose: 'write' });
    let heard = 0;
    first.onNextWaiter(() => (heard += 1));
    follower(locks);
    follower(locks);
    expect(heard).toBe(1);
  });
});
