import { describe, expect, test } from 'vitest';
import type { KeyInspection } from '@lockstep/shared';
import type { Answer } from '../../support/api-client.ts';
import { eventually } from '@lockstep/testkit/poll';
import { expectProblem } from '../../support/problem.ts';
import type { TestBed } from '../../support/shared-instance.ts';
import { newId } from '../../support/shop.ts';

interface Lease {
  id: string;
  fence: number;
  expiresAt: string;
}

export function describeLeases(bed: TestBed): void {
  const ask = (
    resource: string,
    key: number,
    ttl: unknown = '30s',
    wait = 2_000,
  ): Promise<Answer> =>
    bed.api.post('/v1/leases', { resource, key, ttl }, { 'lockstep-timeout': String(wait) });
  const grant = async (resource: string, key: number, ttl: unknown = '30s'): Promise<Lease> => {
    const answer = await ask(resource, key, ttl);
    expect(answer.status).toBe(201);
    return answer.body as unknown as Lease;
  };
  const release = (id: string, body?: object): Promise<Answer> =>
    bed.api.call('DELETE', `/v1/leases/${id}`, body === undefined ? {} : { body });
  const impatient = { 'lockstep-timeout': '100' };

  describe('a lease', () => {
    test('lets its holder read and write while others wait (T8)', async () => {
      const id = newId();
      await bed.api.put('account', id, { owner: 'Ada', balance: 10 });
      const lease = await grant('account', id);
      expect(Date.parse(lease.expiresAt)).toBeGreaterThan(Date.now());
      const under = { 'lockstep-lease': lease.id };
      const read = await bed.api.get('account', id);
      expect(read.body).toMatchObject({ version: 1, source: 'cache' });
      expectProblem(
        await bed.api.patch('account', id, { owner: 'Eve' }, impatient),
        'LOCK_TIMEOUT',
      );
      const other = { operations: [{ op: 'delete', resource: 'account', key: id }] };
      expectProblem(await bed.api.post('/v1/transactions', other, impatient), 'LOCK_TIMEOUT');
      const first = await bed.api.patch('account', id, { $inc: { balance: 5 } }, under);
      const second = await bed.api.patch('account', id, { owner: 'Grace' }, under);
      expect([first.body.version, second.body.version]).toEqual([2, 3]);
      expect(first.body.fence).toBeGreaterThan(lease.fence);
      const waiting = bed.api.patch('account', id, { owner: 'next' });
      expect((await release(lease.id)).status).toBe(200);
      expect((await waiting).body).toMatchObject({ version: 4, cache: 'fresh' });
      expectProblem(await bed.api.patch('account', id, { owner: 'x' }, under), 'UNKNOWN_LEASE');
      expectProblem(await release(lease.id), 'UNKNOWN_LEASE');
    });

    test('can be extended, and ends when it no longer is (T9)', async () => {
      const id = newId();
      const lease = await grant('account', id, 300);
      const path = `/v1/leases/${lease.id}`;
      const extended = await bed.api.call('PATCH', path, { body: { ttl: '1s' } });
      expect(extended.body).toMatchObject({ id: lease.id, fence: lease.fence });
      const next = await ask('account', id, '1s', 5_000);
      expect(next.status).toBe(201);
      expect((next.body as unknown as Lease).fence).toBeGreaterThan(lease.fence);
      const late = bed.api.put('account', id, { owner: 'late' }, { 'lockstep-lease': lease.id });
      expectProblem(await late, 'UNKNOWN_LEASE');
      expectProblem(await bed.api.call('PATCH', path, { body: { ttl: '1s' } }), 'UNKNOWN_LEASE');
      expect((await bed.api.get('account', id)).status).toBe(404);
    });

    test('invalidates the entry when released with invalidate', async () => {
      const id = newId();
      await bed.api.put('account', id, { owner: 'Ada' });
      const lease = await grant('account', id);
      await bed.behind.sql('UPDATE accounts SET owner = ? WHERE id = ?', ['Grace', id]);
      expect((await bed.api.get('account', id)).body.value?.['owner']).toBe('Ada');
      const released = await release(lease.id, { invalidate: true });
      expect(released.body).toMatchObject({ id: lease.id, cache: 'invalidated' });
      expect((await bed.api.get('account', id)).body.value?.['owner']).toBe('Grace');
    });

    test.each(['profile', 'order'])(
      'of a key of %s holds off other leases, and writes here (T8)',
      async (resource) => {
        const id = newId();
        const value = resource === 'profile' ? { name: 'Ada' } : { item: 'tea' };
        const lease = await grant(resource, id);
        expectProblem(await ask(resource, id, '1s', 50), 'LOCK_TIMEOUT');
        expectProblem(await bed.api.put(resource, id, value, impatient), 'LOCK_TIMEOUT');
        const under = { 'lockstep-lease': lease.id };
        const written = await bed.api.put(resource, id, value, under);
        expect(written.body).toMatchObject({ version: 1, outcome: 'applied' });
        expect((await release(lease.id)).status).toBe(200);
        const next = await grant(resource, id);
        expect(next.fence).toBeGreaterThan(written.body.fence ?? Infinity);
        await release(next.id);
        expect((await bed.api.put(resource, id, value)).body.version).toBe(2);
      },
    );

    test('is accepted by a transaction and by an operation of a batch', async () => {
      const [id, other] = [newId(), newId()];
      const lease = await grant('account', id);
      const operations = [id, other].map((key) => ({
        ...{ op: 'put', resource: 'account', key, value: { owner: 'Ada' } },
      }));
      const together = await bed.api.post(
        '/v1/transactions',
        { operations },
        { 'lockstep-lease': lease.id },
      );
      expect(together.body.results?.map(({ version }) => version)).toEqual([1, 1]);
      const batch = await bed.api.post('/v1/batch', {
        operations: [{ ...operations[0], lease: lease.id }, { ...operations[1] }],
      });
      expect(batch.body.results?.map(({ version }) => version)).toEqual([2, 2]);
      const wrong = bed.api.put('account', other, { owner: 'x' }, { 'lockstep-lease': lease.id });
      expectProblem(await wrong, 'INVALID');
      await release(lease.id);
    });

    test('is shown for its key and counted while it is held', async () => {
      // Under load the metrics are those of a moment ago.
      const heldNow = async (): Promise<number> => {
        const { text } = await bed.anonymous.call('GET', '/metrics');
        return Number(/^lockstep_leases\{resource="account"\} (\d+)$/m.exec(text)?.[1]);
      };
      // The leases of earlier tests have ended, and are not counted a moment later.
      await eventually(async () => expect(await heldNow()).toBe(0));
      const id = newId();
      const lease = await grant('account', id);
      await eventually(async () => expect(await heldNow()).toBe(1));
      await eventually(async () => {
        const { text } = await bed.admin.call('GET', `/v1/ops/keys/account/${id}`);
        const { lock } = JSON.parse(text) as KeyInspection;
        expect(lock).toMatchObject({ purpose: 'lease' });
        // The time of the lease, and not that of the lock under it, which is extended.
        expect(lock?.leaseLeftMs).toBeGreaterThan(20_000);
      });
      await release(lease.id);
      await eventually(async () => expect(await heldNow()).toBe(0));
    });

    test('is refused if it is unknown or its TTL is out of range', async () => {
      expectProblem(await release('nobody~knows-it'), 'UNKNOWN_LEASE');
      expectProblem(await ask('account', newId(), '10h'), 'INVALID');
      expectProblem(await ask('account', newId(), 1), 'INVALID');
      expectProblem(await ask('nothing', 1), 'UNKNOWN_RESOURCE');
    });
  });
}
