import { describe, expect, it } from 'vitest';
import { KEY, useLocks } from './testing/use-locks.ts';

const bed = useLocks();

describe('a held lock', () => {
  it('starts when the nodes grant it, and lasts until it is released', async () => {
    const locks = bed.service();
    const lock = await locks.acquire(KEY, { purpose: 'write' });
    expect(bed.nodes.holderOf(KEY.lockKey)).not.toBeNull();
    expect(lock.leftMs()).toBeCloseTo(8_000 - 82);
    expect(() => lock.assertHeld()).not.toThrow();
    lock.release();
    lock.release();
    await bed.runtime.settle();
    expect(bed.nodes.holderOf(KEY.lockKey)).toBeNull();
    expect(bed.nodes.calls.release).toBe(1);
    expect(lock.leftMs()).toBe(0);
    expect(() => lock.assertHeld()).toThrow(expect.objectContaining({ code: 'FENCED' }) as Error);
    expect(bed.eventsOf('lock-acquired')).toMatchObject([
      { attempts: 1, contended: false, waitMs: 0 },
    ]);
    expect(bed.eventsOf('lock-released')).toHaveLength(1);
  });

  it('leaves no timer and no state behind', async () => {
    const locks = bed.service();
    (await locks.acquire(KEY, { purpose: 'write' })).release();
    await bed.runtime.settle();
    expect(bed.runtime.pendingTimers).toBe(0);
    expect(locks.snapshot()).toEqual({ held: [], waiting: [] });
  });

  it('is extended until it is released, within the limit on a hold', async () => {
    const locks = bed.service({ maxHoldMs: 30_000 });
    const lock = await locks.acquire(KEY, { purpose: 'write' });
    await bed.runtime.advance(29_000);
    expect(() => lock.assertHeld()).not.toThrow();
    expect(lock.leftMs()).toBe(1_000);
    const waiting = bed.caller(locks, 20_000);
    await bed.runtime.advance(1_000);
    expect(lock.leftMs()).toBe(0);
    await bed.runtime.advance(100);
    expect(waiting.lock).not.toBeNull();
    expect(bed.eventsOf('lock-lost')).toMatchObject([{ how: 'expired', heldMs: 30_000 }]);
  });

  it('counts its validity from the start of the request that granted it', async () => {
    bed.nodes.roundTripMs = 400;
    const locks = bed.service({ ttlMs: 1_000 });
    const held = bed.caller(locks);
    await bed.runtime.advance(400);
    expect(held.lock?.leftMs()).toBeCloseTo(1_000 - 12 - 400);
  });

  it('is given back when the grant took so long that little time is left', async () => {
    bed.nodes.roundTripMs = 600;
    const locks = bed.service({ ttlMs: 1_000 });
    const late = bed.caller(locks, 3_000);
    await bed.runtime.advance(1_500);
    expect(late.lock).toBeNull();
    expect(bed.nodes.calls.release).toBeGreaterThan(0);
    bed.nodes.roundTripMs = 2;
    await bed.runtime.advance(1_000);
    expect(late.lock).not.toBeNull();
  });

  it('is fenced by the process’s own clock after a pause, before any timer runs', async () => {
    const locks = bed.service();
    const lock = await locks.acquire(KEY, { purpose: 'write' });
    bed.runtime.stall(9_000);
    expect(() => lock.assertHeld()).toThrow(
      expect.objectContaining({ code: 'FENCED', outcome: 'not_applied' }) as Error,
    );
    expect(bed.eventsOf('lock-lost')).toMatchObject([{ how: 'expired' }]);
    lock.release();
    await bed.runtime.advance(10_000);
    expect(bed.eventsOf('lock-lost')).toHaveLength(1);
    expect(bed.eventsOf('lock-released')).toHaveLength(0);
  });

  it('is reported lost when the nodes say so, and the next caller acquires it again', async () => {
    const locks = bed.service();
    const lock = await locks.acquire(KEY, { purpose: 'write' });
    const next = bed.caller(locks);
    bed.nodes.drop(KEY.lockKey);
    await bed.runtime.advance(2_700);
    expect(bed.eventsOf('lock-lost')).toMatchObject([{ how: 'lost' }]);
    expect(() => lock.assertHeld()).toThrow();
    expect(next.lock).not.toBeNull();
    lock.release();
    expect(() => next.lock?.assertHeld()).not.toThrow();
  });

  it('survives an outage of the nodes that ends before its validity does', async () => {
    const locks = bed.service();
    const lock = await locks.acquire(KEY, { purpose: 'write' });
    bed.nodes.isAvailable = false;
    await bed.runtime.advance(6_000);
    bed.nodes.isAvailable = true;
    await bed.runtime.advance(4_000);
    expect(() => lock.assertHeld()).not.toThrow();
    expect(bed.eventsOf('lock-lost')).toHaveLength(0);
  });

  it('expires when the nodes stay unavailable', async () => {
    const locks = bed.service();
    await locks.acquire(KEY, { purpose: 'write' });
    bed.nodes.isAvailable = false;
    await bed.runtime.advance(7_919);
    expect(bed.eventsOf('lock-lost')).toMatchObject([{ how: 'expired' }]);
  });
});

describe('closing', () => {
  it('refuses callers, waits for the holder, then releases', async () => {
    const locks = bed.service();
    const lock = await locks.acquire(KEY, { purpose: 'write' });
    const waiting = bed.caller(locks);
    let closed = false;
    void locks.close(5_000).then(() => (closed = true));
    await bed.runtime.advance(100);
    expect(waiting.error).toMatchObject({ code: 'SHUTTING_DOWN' });
    expect(closed).toBe(false);
    expect(() => lock.assertHeld()).not.toThrow();
    lock.release();
    await bed.runtime.settle();
    expect(closed).toBe(true);
    expect(bed.nodes.holderOf(KEY.lockKey)).toBeNull();
    await expect(locks.acquire(KEY, { purpose: 'write' })).rejects.toMatchObject({
      code: 'SHUTTING_DOWN',
    });
  });

  it('takes the lock from a holder that does not release it', async () => {
    const locks = bed.service();
    const lock = await locks.acquire(KEY, { purpose: 'write' });
    let closed = false;
    void locks.close(1_000).then(() => (closed = true));
    await bed.runtime.advance(1_001);
    expect(closed).toBe(true);
    expect(() => lock.assertHeld()).toThrow();
    expect(bed.nodes.holderOf(KEY.lockKey)).toBeNull();
  });

  it('waits for a grant in flight and gives it back', async () => {
    bed.nodes.roundTripMs = 100;
    const locks = bed.service();
    const waiting = bed.caller(locks);
    await bed.runtime.advance(10);
    const closing = locks.close(1_000);
    await bed.runtime.advance(500);
    await closing;
    expect(waiting.error).toMatchObject({ code: 'SHUTTING_DOWN' });
    expect(bed.nodes.holderOf(KEY.lockKey)).toBeNull();
  });
});

describe('a defect of the nodes', () => {
  it('reaches the callers as INTERNAL and leaves the key usable', async () => {
    const locks = bed.service();
    const broken = bed.nodes.tryAcquire.bind(bed.nodes);
    bed.nodes.tryAcquire = () => Promise.reject(new Error('broken'));
    await expect(locks.acquire(KEY, { purpose: 'write' })).rejects.toMatchObject({
      code: 'INTERNAL',
    });
    bed.nodes.tryAcquire = broken;
    await expect(locks.acquire(KEY, { purpose: 'write' })).resolves.toBeDefined();
  });
});

describe('the queue of a key', () => {
  it('serves callers in the order of arrival, without asking the nodes again', async () => {
    const locks = bed.service();
    const order: number[] = [];
    const running = Array.from({ length: 10 }, async (_, index) => {
      const lock = await locks.acquire(KEY, { purpose: 'write' });
      order.push(index);
      await bed.runtime.timers.sleep(1);
      lock.release();
    });
    await bed.runtime.advance(20);
    await Promise.all(running);
    expect(order).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
    expect(bed.nodes.calls.tryAcquire).toBe(1);
    expect(bed.nodes.calls.release).toBe(1);
    expect(bed.eventsOf('lock-acquired')).toHaveLength(10);
  });

  it('refuses a caller at once when the queue is full (W12)', async () => {
    const locks = bed.service({ maxWaitersPerKey: 2 });
    await locks.acquire(KEY, { purpose: 'write' });
    const [first, second, third] = [bed.caller(locks), bed.caller(locks), bed.caller(locks)];
    await bed.runtime.settle();
    expect(third.error).toMatchObject({ code: 'QUEUE_FULL', status: 429 });
    expect(first.error ?? second.error).toBeNull();
    expect(locks.contention().totals.queueFull).toBe(1);
  });

  it('answers a caller at its timeout, wherever it is in the queue (W12)', async () => {
    const locks = bed.service();
    const lock = await locks.acquire(KEY, { purpose: 'write' });
    const [first, middle, last] = [
      bed.caller(locks, 500),
      bed.caller(locks, 100),
      bed.caller(locks, 500),
    ];
    await bed.runtime.advance(100);
    expect(middle.error).toMatchObject({ code: 'LOCK_TIMEOUT', outcome: 'not_applied' });
    lock.release();
    await bed.runtime.settle();
    first.lock?.release();
    await bed.runtime.settle();
    expect(last.lock).not.toBeNull();
  });

  it('times out while another process holds the lock, and does not release that lock', async () => {
    bed.nodes.occupy(KEY.lockKey, 60_000);
    const locks = bed.service();
    const waiting = bed.caller(locks, 200);
    await bed.runtime.advance(199);
    expect(waiting.error).toBeNull();
    await bed.runtime.advance(50);
    expect(waiting.error).toMatchObject({ code: 'LOCK_TIMEOUT' });
    expect(bed.nodes.holderOf(KEY.lockKey)).toBe('stranger');
    await bed.runtime.advance(100);
    expect(bed.runtime.pendingTimers).toBe(0);
    expect(bed.eventsOf('lock-failed')).toMatchObject([{ code: 'LOCK_TIMEOUT', waitMs: 200 }]);
  });

  it('gives back a lock that is granted after its caller left', async () => {
    bed.nodes.roundTripMs = 50;
    const locks = bed.service();
    const waiting = bed.caller(locks, 30);
    await bed.runtime.advance(200);
    expect(waiting.error).toMatchObject({ code: 'LOCK_TIMEOUT' });
    expect(bed.nodes.holderOf(KEY.lockKey)).toBeNull();
  });

  it('gets the lock soon after the lock of a dead holder expires', async () => {
    bed.nodes.occupy(KEY.lockKey, 1_000);
    const waiting = bed.caller(bed.service());
    await bed.runtime.advance(1_040);
    expect(waiting.lock?.waitMs).toBeGreaterThan(990);
    expect(waiting.lock?.queueMs).toBe(0);
  });

  it('shows holder and waiters', async () => {
    const locks = bed.service();
    const lock = await locks.acquire(KEY, { purpose: 'recovery' });
    lock.noteFence(77);
    bed.caller(locks);
    await bed.runtime.advance(100);
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
    bed.nodes.isAvailable = false;
    const locks = bed.service();
    const [first, second] = [bed.caller(locks), bed.caller(locks)];
    await bed.runtime.advance(400);
    expect(first.error).toMatchObject({ code: 'LOCKS_UNAVAILABLE', status: 503 });
    expect(second.error).toMatchObject({ code: 'LOCKS_UNAVAILABLE' });
    const third = bed.caller(locks);
    await bed.runtime.settle();
    expect(third.error).toMatchObject({ code: 'LOCKS_UNAVAILABLE' });
  });

  it('are the reason also for a caller with a shorter timeout', async () => {
    bed.nodes.isAvailable = false;
    const waiting = bed.caller(bed.service(), 50);
    await bed.runtime.advance(50);
    expect(waiting.error).toMatchObject({ code: 'LOCKS_UNAVAILABLE' });
  });

  it('cause no failure when they come back within the grace period', async () => {
    bed.nodes.isAvailable = false;
    const waiting = bed.caller(bed.service());
    await bed.runtime.advance(200);
    bed.nodes.isAvailable = true;
    await bed.runtime.advance(50);
    expect(waiting.lock).not.toBeNull();
  });
});
