import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import type { Key } from '../domain/index.ts';
import type { QueueingLockService } from './index.ts';
import { accountKey, jainIndex } from '@lockstep/testkit/doubles/keys';
import { Redis } from 'ioredis';
import { eventually, RealLockNodes, timed } from './testing/real-lock-nodes.ts';

let real: RealLockNodes;
let lastKey = 0;

beforeAll(async () => {
  real = await RealLockNodes.start();
});
afterEach(() => real.reset());
afterAll(() => real.stop());

function newKey(): Key {
  return accountKey(++lastKey);
}

describe('locks on real nodes', () => {
  it('leave nothing on the nodes after their release', async () => {
    const { locks } = await real.coordinator();
    const key = newKey();
    const lock = await locks.acquire(key, { purpose: 'write' });
    expect((await real.values(key.lockKey)).every((value) => value !== null)).toBe(true);
    lock.release();
    await eventually(async () => (await real.values(key.lockKey)).every((value) => value === null));
  });

  it('answer LOCKS_UNAVAILABLE while two nodes are down, and work again when they are back', async () => {
    const { locks } = await real.coordinator();
    await Promise.all([real.node(0).kill(), real.node(1).kill()]);
    const { value, tookMs } = await timed(() =>
      locks
        .acquire(newKey(), { purpose: 'write', waitTimeoutMs: 20_000 })
        .catch((error: unknown) => error),
    );
    expect(value).toMatchObject({ code: 'LOCKS_UNAVAILABLE', outcome: 'not_applied' });
    expect(tookMs).toBeLessThan(10_000);
    await Promise.all([real.node(0).restart(), real.node(1).restart()]);
    await eventually(() =>
      locks.acquire(newKey(), { purpose: 'write' }).then(
        (lock) => (lock.release(), true),
        () => false,
      ),
    );
  });

  it('L2: pass to another coordinator when the holder dies, no sooner than the lock expires', async () => {
    const dead = await real.connect();
    const { locks } = await real.coordinator();
    const key = newKey();
    const takenAtMs = performance.now();
    await dead.tryAcquire(key.lockKey, 700);
    dead.close();
    const lock = await locks.acquire(key, { purpose: 'recovery', waitTimeoutMs: 20_000 });
    expect(performance.now() - takenAtMs).toBeGreaterThan(690);
    lock.release();
  });

  it('outlive their TTL until they are released', async () => {
    const [first, second] = [
      await real.coordinator({ ttlMs: 1_500 }),
      await real.coordinator({ ttlMs: 1_500 }),
    ];
    const key = newKey();
    const lock = await first.locks.acquire(key, { purpose: 'write' });
    await expect(
      second.locks.acquire(key, { purpose: 'write', waitTimeoutMs: 3_500 }),
    ).rejects.toMatchObject({ code: 'LOCK_TIMEOUT' });
    expect(() => lock.assertHeld()).not.toThrow();
    lock.release();
    (await second.locks.acquire(key, { purpose: 'write' })).release();
  });

  it('are reported lost by the watchdog when their key is deleted', async () => {
    const { locks, telemetry } = await real.coordinator({ ttlMs: 600 });
    const key = newKey();
    const lock = await locks.acquire(key, { purpose: 'write' });
    await real.values(key.lockKey, 'getdel');
    await eventually(() => telemetry.events.some(({ type }) => type === 'lock-lost'));
    expect(() => lock.assertHeld()).toThrow(expect.objectContaining({ code: 'FENCED' }) as Error);
    expect(locks.contention().totals.lost).toBe(1);
  });

  it('are released when the coordinator closes', async () => {
    const { locks } = await real.coordinator();
    const keys = [newKey(), newKey(), newKey()];
    const holds = await Promise.all(keys.map((key) => locks.acquire(key, { purpose: 'write' })));
    const closing = locks.close(25_000);
    holds[0]?.release();
    holds[1]?.release();
    await eventually(() => locks.snapshot().held.length === 1);
    expect(() => holds[2]?.assertHeld()).not.toThrow();
    holds[2]?.release();
    const { tookMs } = await timed(() => closing);
    expect(tookMs).toBeLessThan(15_000);
    for (const key of keys) expect(await real.values(key.lockKey)).toEqual([null, null, null]);
  });
});

interface Until {
  holds: number;
  leastMs: number;
}

describe('contention on real nodes', () => {
  /** Closed-loop callers on one key, until there were enough holds; returns the holds by service and by caller. */
  async function compete(services: QueueingLockService[], callers: number, until: Until) {
    const key = newKey();
    const startedAtMs = performance.now();
    let total = 0;
    const isOver = (): boolean =>
      total >= until.holds && performance.now() - startedAtMs >= until.leastMs;
    const holds = services.map(() => Array.from({ length: callers }, () => 0));
    let running = 0;
    let overlaps = 0;
    await Promise.all(
      services.flatMap((locks, service) =>
        Array.from({ length: callers }, async (_, caller) => {
          while (!isOver()) {
            const lock = await locks.acquire(key, { purpose: 'write' });
            if (++running > 1) overlaps++;
            await new Promise((resolve) => setImmediate(resolve));
            running--;
            total++;
            lock.release();
            const own = holds[service];
            if (own !== undefined) own[caller] = (own[caller] ?? 0) + 1;
          }
        }),
      ),
    );
    expect(overlaps).toBe(0);
    return holds;
  }

  it('serves thousands of callers on one key with few commands, and all of them alike', async () => {
    const { locks } = await real.coordinator();
    const probe = new Redis(real.node(0).url);
    await probe.config('RESETSTAT');
    const holds = (await compete([locks], 64, { holds: 3_000, leastMs: 0 })).flat();
    const stats = await probe.info('commandstats');
    probe.disconnect();
    expect(Number(/cmdstat_evalsha:calls=(\d+)/.exec(stats)?.[1])).toBeLessThan(1_000);
    expect(jainIndex(holds)).toBeGreaterThan(0.95);
  });

  it('starves neither of two coordinators nor any of their callers', async () => {
    const [first, second] = [await real.coordinator(), await real.coordinator()];
    const holds = await compete([first.locks, second.locks], 16, {
      holds: 1_000,
      leastMs: 6_000,
    });
    const shares = holds.map((own) => own.reduce((sum, count) => sum + count, 0));
    expect(jainIndex(shares)).toBeGreaterThan(0.8);
    expect(jainIndex(holds.flat())).toBeGreaterThan(0.8);
  });
});
