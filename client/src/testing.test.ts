import { describe, expect, it } from 'vitest';
import { failureOf } from '../test/support/heard.ts';
import { createTestClient } from './testing.ts';

const open = () =>
  createTestClient({
    resources: { account: { key: ['id'] }, part: { key: ['region', 'sku'], policy: 'none' } },
  });

describe('the double', () => {
  it('answers as the client does', async () => {
    const client = open();
    expect(await client.get('account', 1)).toBeNull();
    expect(await client.put('account', 1, { balance: 5 })).toMatchObject({
      ...{ version: 1, created: true, cache: 'fresh', value: { id: 1, balance: 5 } },
    });
    expect(
      await client.patch('account', 1, { $inc: { balance: -2 } }, { ifVersion: 1 }),
    ).toMatchObject({
      version: 2,
    });
    expect(await client.get('account', 1)).toEqual({
      ...{ version: 2, source: 'cache', value: { id: 1, balance: 3 } },
    });
    expect(await client.put('part', ['eu', 'x'], { stock: 1 })).toMatchObject({ cache: 'none' });
    expect(await failureOf(client.patch('account', 7, {}))).toMatchObject({ code: 'NOT_FOUND' });
    expect(await failureOf(client.patch('account', 1, {}, { ifVersion: 9 }))).toMatchObject({
      code: 'VERSION_MISMATCH',
    });
    expect(await failureOf(client.get('nothing', 1))).toMatchObject({ code: 'UNKNOWN_RESOURCE' });
    const { key } = await client.insert('account', { balance: 1 });
    expect(await client.get('account', key)).toMatchObject({ version: 1 });
  });

  it('changes and deletes the rows that match, all or none', async () => {
    const client = open();
    for (const [id, balance] of [5, 50, 500].entries())
      await client.put('account', id, { status: id === 2 ? null : 'open', balance });
    const where = { status: 'open', balance: { $lt: 100, $ne: 7 } };
    const change = { $inc: { balance: 1 } };
    const options = { idempotencyKey: 'once' };
    const expected = { affected: 2, keys: ['0', '1'], versions: [2, 2], cache: 'fresh' };
    expect(await client.updateWhere('account', where, change, options)).toMatchObject(expected);
    expect(await client.updateWhere('account', where, change, options)).toMatchObject(expected);
    expect(await client.get('account', 1)).toMatchObject({ version: 2, value: { balance: 51 } });
    expect(await client.deleteWhere('account', { status: null })).toMatchObject({ keys: ['2'] });
    expect(await client.deleteWhere('account', { balance: { $in: [6, 51] } })).toMatchObject({
      ...{ affected: 2, outcome: 'applied' },
    });
    expect(await client.deleteWhere('account', { status: 'open' })).toMatchObject({
      ...{ affected: 0, keys: [], cache: 'none' },
    });
    expect(await failureOf(client.deleteWhere('account', {}))).toMatchObject({ code: 'INVALID' });
  });

  it.each([
    ['strict', 'fresh'],
    ['delete-after-write', 'invalidated'],
    ['delayed-double-delete', 'invalidated'],
    ['change-log', 'pending'],
    ['refresh', 'pending'],
    ['none', 'none'],
  ] as const)(
    'tells of a write of a %s resource what the coordinator does: %s',
    async (policy, cache) => {
      const client = createTestClient({ resources: { account: { key: ['id'], policy } } });
      expect(await client.put('account', 1, {})).toMatchObject({ policy, cache });
    },
  );

  it('applies a transaction whole or not at all', async () => {
    const client = open();
    await client.put('account', 1, { balance: 5 });
    const refused = client.transaction([
      { op: 'patch', resource: 'account', key: 1, value: { balance: 0 } },
      { op: 'patch', resource: 'account', key: 2, value: { balance: 0 } },
    ]);
    expect(await failureOf(refused)).toMatchObject({ code: 'NOT_FOUND' });
    expect(await client.get('account', 1)).toMatchObject({ version: 1, value: { balance: 5 } });
  });

  it('meets what a service must be ready for, when it is told to', async () => {
    const client = open();
    client.switches.cachePending();
    expect(await client.put('account', 1, {})).toMatchObject({ cache: 'pending' });
    client.switches.lockTimeout();
    expect(await failureOf(client.put('account', 1, {}))).toMatchObject({
      ...{ code: 'LOCK_TIMEOUT', outcome: 'not_applied', retryable: true },
    });
    client.switches.outcomeUnknown({ applied: true });
    const key = { idempotencyKey: 'k' };
    expect(await failureOf(client.put('account', 2, { n: 1 }, key))).toMatchObject({
      ...{ code: 'OUTCOME_UNKNOWN', outcome: 'unknown' },
    });
    expect(await client.put('account', 2, { n: 1 }, key)).toMatchObject({ version: 1 });
    client.switches.outcomeUnknown({ applied: false });
    await failureOf(client.put('account', 3, {}));
    expect(await client.get('account', 3)).toBeNull();
    client.switches.coordinatorAway(true);
    expect(await failureOf(client.put('account', 1, {}))).toMatchObject({
      code: 'COORDINATOR_UNAVAILABLE',
    });
    expect(await client.get('account', 1)).toMatchObject({ version: 1 });
  });

  it('has leases that can be lost', async () => {
    const client = open();
    const work = client.withLease('account', 1, { ttlMs: 1_000 }, async (lease) => {
      expect(await failureOf(client.lease('account', 1, { ttlMs: 1_000 }))).toMatchObject({
        code: 'LOCK_TIMEOUT',
      });
      client.switches.loseLeases();
      expect(lease.signal.aborted).toBe(true);
    });
    expect(await failureOf(work)).toMatchObject({ code: 'LEASE_LOST' });
  });

  it('keeps computed values until a resource that they are made from is written', async () => {
    const client = createTestClient({
      resources: {
        account: { key: ['id'] },
        part: { key: ['sku'] },
        total: { computedFrom: ['account'] },
      },
    });
    let runs = 0;
    const load = () => (runs += 1);
    const total = async () => {
      const { value, source } = await client.computed('total', ['Ada'], load);
      return [value, source];
    };
    expect(await total()).toEqual([1, 'loader']);
    await client.put('part', 'x', {});
    expect(await total()).toEqual([1, 'cache']);
    await client.put('account', 1, { balance: 5 });
    expect(await total()).toEqual([2, 'loader']);
    await client.invalidate([{ resource: 'total', key: 'Ada' }]);
    expect(await total()).toEqual([3, 'loader']);
    const overtaken = client.computed('total', ['Eve'], async () => {
      await client.put('account', 1, { balance: 6 });
      return 'old';
    });
    expect(await overtaken).toEqual({ value: 'old', source: 'loader' });
    expect(await client.computed('total', ['Eve'], () => 'new')).toMatchObject({ value: 'new' });
    for (const call of [client.computed('account', 1, load), client.put('total', 'Ada', {})])
      expect(await failureOf(call)).toMatchObject({ code: 'INVALID' });
  });

  it('guards keys, and counts up the versions of those whose statement was asked for', async () => {
    const client = open();
    await client.put('account', 1, { balance: 5 });
    const answered = await client.guard(
      [
        ['account', 1],
        ['part', ['eu', 'x']],
      ],
      async (guard) => {
        expect(guard.sql('account', 1)).toEqual([
          'select lockstep_guard(?, ?, ?)',
          ['account', guard.fence('account', 1), '1'],
        ]);
        const other = client.guard([['account', 1]], () => Promise.resolve());
        expect(await failureOf(other)).toMatchObject({ code: 'LOCK_TIMEOUT' });
        return 'done';
      },
    );
    expect(answered).toBe('done');
    expect(await client.get('account', 1)).toMatchObject({ version: 2, value: { balance: 5 } });
    client.switches.loseGuards();
    const lost = client.guard([['account', 1]], (guard) =>
      Promise.resolve(guard.sql('account', 1, '$')),
    );
    expect(await failureOf(lost)).toMatchObject({ code: 'GUARD_LOST', outcome: 'not_applied' });
    const wrong = client.guard([['account', 1]], (guard) =>
      Promise.resolve(guard.sql('account', 2)),
    );
    expect(await failureOf(wrong)).toMatchObject({ code: 'INVALID' });
  });
});
