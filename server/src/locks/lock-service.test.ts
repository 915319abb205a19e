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

describe('a lock', () => {
  it('begins when the nodes grant the lock and is held until released', async () => {
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

  it('leaves no timer and no memory behind', async () => {
    const locks = service();
    (await locks.acquire(KEY, { purpose: 'write' })).release();
    await runtime.settle();
    expect(runtime.pendingTimers).toBe(0);
    expect(locks.snapshot()).toEqual({ held: [], waiting: [] });
  });

  it('is extended for as long as it runs, within the bound on a lock', async () => {
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

  it('counts its validity from before the request that granted it', async () => {
    nodes.roundTripMs = 400;
    const locks = service({ ttlMs: 1_000 });
    const held = caller(locks);
    await runtime.advance(400);
    expect(held.lock?.leftMs()).toBeCloseTo(1_000 - 12 - 400);
  });

  it('is not given when the grant took too long to be worth having', async () => {
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

  it('is fenced by its own clock when the process was paused, before any timer runs', async () => {
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

  it('is reported lost when the nodes say so, and the next caller contends anew', async () => {
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

  it('survives an outage of the nodes that is shorter than its validity', async () => {
    const locks = service();
    const lock = await locks.acquire(KEY, { purpose: 'write' });
    nodes.isAvailable = false;
    await runtime.advance(6_000);
    nodes.isAvailable = true;
    await runtime.advance(4_000);
    expect(() => lock.assertHeld()).not.toThrow();
    expect(eventsOf('lock-lost')).toHaveLength(0);
  });

  it('expires when the nodes stay away', async () => {
    const locks = service();
    await locks.acquire(KEY, { purpose: 'write' });
    nodes.isAvailable = false;
    await runtime.advance(7_919);
    expect(eventsOf('lock-lost')).toMatchObject([{ how: 'expired' }]);
  });
});

describe('closing', () => {
  it('refuses callers, waits for the running lock, then releases', async () => {
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

  it('takes the lock from a lock that does not end', async () => {
    const locks = service();
    const lock = await locks.acquire(KEY, { purpose: 'write' });
    let closed = false;
    void locks.close(1_000).then(() => (closed = true));
    await runtime.advance(1_001);
    expect(closed).toBe(true);
    expect(() => lock.assertHeld()).toThrow();
    expect(nodes.holderOf(KEY.lockKey)).toBeNull();
  });

  it('waits for a grant that is on its way and gives it back', async () => {
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
  it('reaches the callers as one and leaves the key usable', async () => {
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
