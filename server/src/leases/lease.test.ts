import { beforeEach, describe, expect, it } from 'vitest';
import type { Key } from '../domain/index.ts';
import { QueueingLockService } from '../locks/index.ts';
import { accountKey, recordingTelemetry } from '@lockstep/testkit/doubles/keys';
import { MemoryLockNodes } from '@lockstep/testkit/doubles/memory-lock-nodes';
import { manualRuntime, type ManualRuntime } from '@lockstep/testkit/doubles/manual-runtime';
import type { LeaseOptions } from './lease-options.ts';
import { HeldLeases, type LeaseRecovery } from './lease-service.ts';
import { locksWithLeases } from './locks-with-leases.ts';
import type { LeasedLock, LeaseGrant, LeaseService } from './port.ts';

const KEY = accountKey(1);
const LOCK_TTL_MS = 300;

let runtime: ManualRuntime;
let nodes: MemoryLockNodes;
let locks: QueueingLockService;
let recovered: Key[];

beforeEach(() => {
  runtime = manualRuntime();
  nodes = new MemoryLockNodes(runtime);
  locks = lockService();
  recovered = [];
});

const lockService = (): QueueingLockService =>
  new QueueingLockService({
    ...{ nodes, runtime, telemetry: recordingTelemetry(), options: { ttlMs: LOCK_TTL_MS } },
  });

function service(
  options: Partial<LeaseOptions> = {},
  takeOver: LeaseRecovery['takeOver'] = () => Promise.resolve({ fence: 40 }),
): LeaseService {
  const recoverSoon = (key: Key): void => {
    recovered.push(key);
  };
  return new HeldLeases({
    ...{ instance: 'host-1', locks, runtime, options, cache: { available: true } },
    rows: {
      read: () => Promise.reject(new Error()),
      raiseFence: () => Promise.reject(new Error()),
    },
    recovery: { takeOver, recoverSoon },
  });
}

/** The result of a promise once nothing more happens without time passing. */
async function outcome<T>(promise: Promise<T>): Promise<T | { code: string } | 'waits'> {
  let result: T | { code: string } | 'waits' = 'waits';
  promise.then(
    (value) => (result = value),
    (error: { code: string }) => (result = { code: error.code }),
  );
  await runtime.settle();
  return result;
}

async function granted(leases: LeaseService, ttlMs = 1_000, key = KEY): Promise<LeaseGrant> {
  const grant = leases.grant(key, ttlMs);
  await runtime.settle();
  return grant;
}

const codeOf = (call: () => unknown): unknown => {
  try {
    return call();
  } catch (error) {
    return (error as { code: string }).code;
  }
};

describe('a lease', () => {
  it('outlives the TTL of its lock, for as long as its holder asked', async () => {
    const leases = service();
    const { id, fence } = await granted(leases);
    expect(fence).toBe(40);
    await runtime.advance(LOCK_TTL_MS * 3);
    expect(leases.keyOf(id)).toBe(KEY);
    expect(leases.isLeased(KEY)).toBe(true);
    await runtime.advance(101);
    expect(codeOf(() => leases.keyOf(id))).toBe('UNKNOWN_LEASE');
    expect(leases.isLeased(KEY)).toBe(false);
  });

  it('ends at its time when its holder is silent, and the next caller gets the key (T9)', async () => {
    const leases = service();
    const { id } = await granted(leases, 500);
    const next = locks.acquire(KEY, { purpose: 'write', waitTimeoutMs: 2_000 });
    await runtime.advance(499);
    expect(await outcome(next)).toBe('waits');
    await runtime.advance(60);
    expect(await outcome(next)).toMatchObject({ key: KEY });
    expect(codeOf(() => leases.extend(id, 500))).toBe('UNKNOWN_LEASE');
  });

  it('is extended from now, never beyond the limit on its life (T9)', async () => {
    const leases = service({ maxLifeMs: 2_000 });
    const { id, expiresAtMs } = await granted(leases);
    await runtime.advance(900);
    expect(leases.extend(id, 1_000).expiresAtMs).toBe(expiresAtMs + 900);
    await runtime.advance(900);
    expect(leases.extend(id, 1_000).expiresAtMs).toBe(expiresAtMs + 1_000);
    await runtime.advance(201);
    expect(codeOf(() => leases.extend(id, 1_000))).toBe('UNKNOWN_LEASE');
  });

  it('is shown to operators with the time until it ends, not that of its lock', async () => {
    const leases = service();
    const { id } = await granted(leases, 1_000);
    await runtime.advance(400);
    const lease = { leftMs: 600, ttlMs: 1_000 };
    expect(leases.held()).toEqual([{ resource: 'account', key: '1', ...lease }]);
    const other = await locks.acquire(accountKey(2), { purpose: 'write' });
    const { held } = locksWithLeases(locks.snapshot(), leases);
    expect(held.map(({ key, lease: known }) => [key, known])).toEqual([
      ['1', lease],
      ['2', undefined],
    ]);
    leases.extend(id, 5_000);
    expect(leases.held()).toMatchObject([{ leftMs: 5_000, ttlMs: 5_000 }]);
    leases.release(id);
    other.release();
    expect(leases.held()).toEqual([]);
  });

  it('is refused where this process holds its maximum number of leases (T9)', async () => {
    const leases = service({ max: 1 });
    const first = leases.grant(KEY, 1_000);
    const second = leases.grant(accountKey(2), 1_000);
    expect(await outcome(second)).toEqual({ code: 'RATE_LIMITED' });
    leases.release((await first).id);
    expect(leases.size).toBe(0);
    expect((await granted(leases, 1_000, accountKey(2))).key).toEqual(accountKey(2));
  });

  it('gives out its fence only while its lock is proved held (T6)', async () => {
    const leases = service({}, () => {
      runtime.stall(LOCK_TTL_MS);
      return Promise.resolve({ fence: 40 });
    });
    expect(await outcome(leases.grant(KEY, 10_000))).toEqual({ code: 'FENCED' });
    expect(leases.size).toBe(0);
    await runtime.advance(50);
    expect(await outcome(locks.acquire(KEY, { purpose: 'write' }))).toMatchObject({ key: KEY });
  });

  it('is lost with its lock, and the next call says so (T6)', async () => {
    const leases = service();
    const { id } = await granted(leases, 10_000);
    nodes.drop(KEY.lockKey);
    await runtime.advance(LOCK_TTL_MS);
    expect(codeOf(() => leases.extend(id, 1_000))).toBe('FENCED');
    expect(codeOf(() => leases.release(id))).toBe('FENCED');
    expect(await outcome(leases.acquire(id, KEY))).toEqual({ code: 'FENCED' });
  });

  it('is lost when its process was paused for longer than the TTL of its lock', async () => {
    const leases = service();
    const { id } = await granted(leases, 10_000);
    runtime.stall(LOCK_TTL_MS);
    expect(codeOf(() => leases.extend(id, 1_000))).toBe('FENCED');
  });

  it('that cannot be granted gives the key back and has it recovered', async () => {
    const leases = service({}, () => Promise.reject(new Error('no database')));
    await expect(leases.grant(KEY, 1_000)).rejects.toThrow('no database');
    expect(recovered).toEqual([KEY]);
    expect(await outcome(locks.acquire(KEY, { purpose: 'write' }))).toMatchObject({ key: KEY });
  });

  it('ends with its process', async () => {
    const leases = service();
    await granted(leases, 60_000);
    leases.close();
    expect(leases.size).toBe(0);
    expect(await outcome(leases.grant(accountKey(3), 1_000))).toEqual({ code: 'SHUTTING_DOWN' });
    await runtime.advance(10);
    expect(nodes.holderOf(KEY.lockKey)).toBeNull();
  });
});

describe('a write within a lease', () => {
  const lockOf = async (leases: LeaseService, id: string): Promise<LeasedLock> => {
    const lock = leases.acquire(id, KEY);
    await runtime.settle();
    return lock;
  };

  it('runs alone; the others wait in order of arrival', async () => {
    const leases = service();
    const { id } = await granted(leases);
    const first = await lockOf(leases, id);
    const [second, third] = [leases.acquire(id, KEY), leases.acquire(id, KEY)];
    expect(await outcome(second)).toBe('waits');
    first.release();
    first.release();
    expect(await outcome(second)).toMatchObject({ key: KEY });
    expect(await outcome(third)).toBe('waits');
    (await second).release();
    expect(await outcome(third)).toMatchObject({ key: KEY });
  });

  it('waits no longer than its timeout, and only a bounded number wait (W12)', async () => {
    const leases = service();
    const { id } = await granted(leases, 10_000);
    await lockOf(leases, id);
    const waiting = Array.from({ length: 100 }, () => leases.acquire(id, KEY, 50));
    const late = waiting.map((lock) => outcome(lock));
    expect(await outcome(leases.acquire(id, KEY))).toEqual({ code: 'QUEUE_FULL' });
    await Promise.all(late);
    const first = waiting[0] ?? Promise.reject(new Error('none'));
    await runtime.advance(51);
    expect(await outcome(first)).toEqual({ code: 'LOCK_TIMEOUT' });
  });

  it('keeps the key until it ends, and sends nothing once the lease is over', async () => {
    const leases = service();
    const { id } = await granted(leases, 500);
    const lock = await lockOf(leases, id);
    const waiting = leases.acquire(id, KEY).catch((error: { code: string }) => error.code);
    const next = locks.acquire(KEY, { purpose: 'write', waitTimeoutMs: 5_000 });
    await runtime.advance(501);
    expect(await waiting).toBe('UNKNOWN_LEASE');
    expect(await outcome(next)).toBe('waits');
    expect(codeOf(() => lock.assertHeld())).toBe('UNKNOWN_LEASE');
    lock.release();
    await runtime.advance(60);
    expect(await outcome(next)).toMatchObject({ key: KEY });
  });

  it('that never ends does not keep the key forever', async () => {
    const leases = service();
    const { id } = await granted(leases, 500);
    await lockOf(leases, id);
    const next = locks.acquire(KEY, { purpose: 'write', waitTimeoutMs: 5_000 });
    await runtime.advance(1_700);
    expect(await outcome(next)).toMatchObject({ key: KEY });
  });

  it('knows the fences that the database may have', async () => {
    const leases = service();
    const { id } = await granted(leases);
    const lock = await lockOf(leases, id);
    expect([lock.heldFences, lock.nextFence()]).toEqual([[40], 41]);
    lock.mayHaveStored(44);
    expect([lock.heldFences, lock.nextFence()]).toEqual([[40, 44], 45]);
    lock.stored(45);
    expect(lock.heldFences).toEqual([45]);
  });

  it('that finds another holder’s fence in the database ends the lease as lost', async () => {
    const leases = service();
    const { id } = await granted(leases);
    const lock = await lockOf(leases, id);
    expect(lock.superseded()).toMatchObject({ code: 'FENCED' });
    lock.release();
    expect(codeOf(() => leases.extend(id, 1_000))).toBe('FENCED');
  });

  it('has the intent that it left recovered when the lease is over', async () => {
    const leases = service();
    const { id } = await granted(leases);
    const lock = await lockOf(leases, id);
    lock.leftIntent();
    lock.release();
    expect(recovered).toEqual([]);
    leases.release(id);
    expect(recovered).toEqual([KEY]);
  });

  it('to another key is INVALID', async () => {
    const leases = service();
    const { id } = await granted(leases);
    expect(await outcome(leases.acquire(id, accountKey(2)))).toEqual({ code: 'INVALID' });
  });
});
