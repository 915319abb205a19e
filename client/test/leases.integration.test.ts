import { describe, expect, test } from 'vitest';
import { eventually } from '@lockstep/testkit/poll';
import { useBed } from './support/bed.ts';
import { failureOf } from './support/heard.ts';
import { newId } from './support/shop.ts';

const bed = useBed();

describe('a lease', () => {
  test('holds a key beyond its TTL while it is renewed, and lets its holder write', async () => {
    const client = await bed.ready();
    const other = await bed.ready({ retries: { maxAttempts: 1 } });
    const id = newId();
    const fence = await client.withLease('account', id, { ttlMs: 1_000 }, async (lease) => {
      expect(
        await failureOf(other.lease('account', id, { ttlMs: 1_000, waitMs: 1_500 })),
      ).toMatchObject({ code: 'LOCK_TIMEOUT' });
      expect(lease.isHeld).toBe(true);
      expect(await client.put('account', id, { owner: 'Ada' }, { lease })).toMatchObject({
        version: 1,
      });
      return lease.fence;
    });
    const next = await other.lease('account', id, { ttlMs: 1_000 });
    expect(next.fence).toBeGreaterThan(fence);
    await next.release();
  });

  test('is released where its work fails, which fails the call', async () => {
    const client = await bed.ready();
    const id = newId();
    const work = client.withLease('account', id, { ttlMs: 20_000 }, () =>
      Promise.reject(new Error('the work failed')),
    );
    expect(await failureOf(work)).toMatchObject({ message: 'the work failed' });
    const next = await client.lease('account', id, { ttlMs: 1_000, waitMs: 500 });
    await next.release();
  });

  test('that cannot be renewed fires its signal before anybody else can hold the key', async () => {
    const client = await bed.ready();
    const direct = await bed.ready({ url: bed.instance.url });
    const id = newId();
    const lease = await client.lease('account', id, { ttlMs: 1_500 });
    let lostAt = Infinity;
    lease.signal.addEventListener('abort', () => (lostAt = performance.now()), { once: true });
    bed.links.coordinator.blackHole();
    try {
      const next = await direct.lease('account', id, { ttlMs: 1_000, waitMs: 15_000 });
      expect(lostAt).toBeLessThan(performance.now());
      expect(lease.isHeld).toBe(false);
      expect(lease.signal.reason).toMatchObject({ code: 'LEASE_LOST' });
      await next.release();
    } finally {
      bed.links.coordinator.heal();
      bed.links.coordinator.reset();
    }
    expect(await failureOf(lease.release())).toMatchObject({ code: 'LEASE_LOST' });
  });

  test('that the coordinator has ended is lost at the next renewal', async () => {
    const client = await bed.ready();
    const id = newId();
    const lease = await client.lease('account', id, { ttlMs: 3_000 });
    const { url, serviceToken } = bed.instance.runtime;
    await fetch(`${url}/v1/leases/${lease.id}`, {
      method: 'DELETE',
      headers: { authorization: `Bearer ${serviceToken}` },
    });
    await eventually(() => expect(lease.signal.aborted).toBe(true));
    expect(lease.signal.reason).toMatchObject({ code: 'LEASE_LOST' });
  });
});
