import { describe, expect, it } from 'vitest';
import { makeKey, type Key } from '../../domain/index.ts';
import { installedClients } from '@lockstep/testkit/servers';
import type { RowStore, RowTransaction, RowTransactionResult } from '../port.ts';
import { patch, put, remove, useRowStore } from '../testing/row-store.ts';

type Write = RowTransaction['writes'][number];

/** What every row store must do with several writes in one transaction, against a real server. */
describe.each(installedClients())('row store on %s: transactions', (client) => {
  const store = useRowStore(client);
  const { account, owned, write, read, expectRows } = store;
  const together = (
    writes: (Pick<Write, 'key' | 'change'> & Partial<Write>)[],
    rest: Partial<RowTransaction> = {},
  ): Promise<RowTransactionResult> =>
    store.database.rows.writeTogether({
      writes: writes.map((one) => ({ outbox: false, ...one })),
      ...rest,
    });
  const note = (place: number): Key => makeKey(store.resources.note, ['a', String(place)]);
  const idempotency = { key: 'once', requestHash: 'hash' };

  it('applies all of its writes, each as a single one would be (T1)', async () => {
    await write(account(2), put({ owner: 'bob', balance: 5 }));
    const result = await together([
      { key: account(2), change: patch({}, { balance: '-5' }), fence: 7, outbox: true },
      { key: account(1), change: put({ owner: 'ann', balance: 5 }), fence: 9 },
      { key: note(1), change: put({ body: 'moved' }), outbox: true },
    ]);
    expect(result).toMatchObject({
      status: 'applied',
      rows: [
        { created: false, version: 2, row: { balance: 0 } },
        { created: true, version: 1, row: { owner: 'ann', balance: 5 }, outboxId: null },
        { created: true, version: 1, row: { body: 'moved' } },
      ],
    });
    expect(await read(account(2))).toMatchObject({ version: 2, fence: 7 });
    expect(await read(account(1))).toMatchObject({ version: 1, fence: 9 });
    expect(await read(note(1))).toMatchObject({ version: 1, fence: 0, row: { body: 'moved' } });
    await expectRows('select 1 from lockstep_outbox', 2);
  });

  it('carries its writes out in the order in which they stand', async () => {
    await write(account(1), put({ owner: 'ann' }));
    const result = await together([
      { key: account(1), change: remove },
      { key: account(0), change: put({ owner: 'ann' }) },
    ]);
    expect(result.status).toBe('applied');
  });

  it.each([
    ['a constraint', { key: 2, change: put({ owner: 'ann' }) }, { reason: 'constraint' }],
    ['a row that is not there', { key: 2, change: patch({ note: 'x' }) }, { reason: 'not-found' }],
    ['another version', { key: 1, change: remove, ifMatch: 4 }, { reason: 'version-mismatch' }],
    ['a row that is there', { key: 1, change: put({ owner: 'x' }, true) }, { reason: 'exists' }],
    ['a value', { key: 1, change: put({ owner: 'y', small: 99_999 }) }, { reason: 'invalid' }],
  ])(
    'refused for %s keeps nothing but the fences of all its keys (T1) (T5)',
    async (_what, { key, ...refused }, refusal) => {
      await write(account(1), put({ owner: 'ann' }), { fence: 3 });
      const result = await together(
        [
          { key: account(3), change: put({ owner: 'cat' }), fence: 20, outbox: true },
          { key: account(key), ...refused, fence: 21 },
          { key: note(1), change: put({ body: 'x' }), outbox: true },
        ],
        { idempotency },
      );
      expect(result).toMatchObject({ status: 'refused', index: 1, refusal });
      expect(result.status === 'refused' && result.versions).toEqual([0, key === 1 ? 1 : 0, 0]);
      expect(await read(account(3))).toEqual({ version: 0, fence: 20, row: null });
      expect(await read(account(key))).toMatchObject({ version: key === 1 ? 1 : 0, fence: 21 });
      expect(await read(note(1))).toEqual({ version: 0, fence: 0, row: null });
      await expectRows('select 1 from lockstep_outbox', 0);
      expect(await store.database.rows.findOutcome('once')).toMatchObject({
        requestHash: 'hash',
        result: { status: 'refused', index: 1, refusal },
      });
      const older = await write(account(3), put({ owner: 'old' }), { fence: 20 });
      expect(older).toEqual({ status: 'fenced', storedFence: 20 });
    },
  );

  it('changes nothing where one of its fences is not above the stored one', async () => {
    await write(account(1), put({ owner: 'ann' }), { fence: 10 });
    const writes = [
      { key: account(2), change: put({ owner: 'bob' }), fence: 5 },
      { key: account(1), change: patch({ note: 'x' }), fence: 10 },
    ];
    const fenced = [{ index: 1, storedFence: 10 }];
    expect(await together(writes)).toEqual({ status: 'fenced', fenced });
    expect(await read(account(2))).toEqual({ version: 0, fence: 0, row: null });
  });

  it('commits only where the stored fence is one that is held (T7)', async () => {
    await store.database.rows.raiseFence(account(1), 10);
    const held = { fence: 20, heldFences: [10, 15] };
    const change = put({ owner: 'ann' });
    expect(await write(account(1), change, held)).toMatchObject({ status: 'applied' });
    const late = { fence: 30, heldFences: [10, 15] };
    const fenced = { status: 'fenced', storedFence: 20 };
    expect(await write(account(1), patch({ note: 'x' }), late)).toEqual(fenced);
    const transacted = [{ key: account(1), change: patch({ note: 'x' }), ...late }];
    expect(await together(transacted)).toEqual({
      status: 'fenced',
      fenced: [{ index: 0, storedFence: 20 }],
    });
    const raise = (held: number[]): ReturnType<RowStore['raiseFence']> =>
      store.database.rows.raiseFence(account(1), 25, undefined, held);
    expect(await raise([10])).toEqual(fenced);
    expect(await read(account(1))).toMatchObject({ version: 1, fence: 20 });
    expect(await together([{ ...transacted[0], heldFences: [20] }] as never)).toMatchObject({
      status: 'applied',
    });
    expect(await raise([30])).toMatchObject({ status: 'fenced', storedFence: 30 });
    const above = store.database.rows.raiseFence(account(1), 40, undefined, [30]);
    expect(await above).toMatchObject({ status: 'raised' });
  });

  it('is applied once for one idempotency key, and answers its first outcome again', async () => {
    await write(account(1), put({ owner: 'ann', balance: 0 }), { fence: 1 });
    const writes = [
      { key: account(1), change: patch({}, { balance: '1' }) },
      { key: account(2), change: put({ owner: 'bob' }) },
    ];
    const results = await Promise.all(
      Array.from({ length: 4 }, () => together(writes, { idempotency })),
    );
    expect(results.map(({ status }) => status).sort()).toEqual([
      ...['applied', 'replayed', 'replayed', 'replayed'],
    ]);
    const again = await together([{ ...writes[0], ifMatch: 1 }, writes[1]] as never, {
      idempotency,
    });
    expect(again).toMatchObject({
      status: 'replayed',
      record: {
        requestHash: 'hash',
        result: {
          status: 'applied-together',
          writes: [
            { resource: 'account', keyText: '1', created: false, version: 2, fence: null },
            { resource: 'account', keyText: '2', created: true, version: 1 },
          ],
        },
      },
    });
    expect((await read(account(1))).row).toMatchObject({ balance: 1 });
  });

  it('forgets its outcome after 24 hours', async () => {
    const writes = [{ key: account(1), change: put({ owner: 'ann' }) }];
    await together(writes, { idempotency });
    const ago = client === 'pg' ? `now() - interval '25 hours'` : 'now(6) - interval 25 hour';
    await store.database.execute(`update lockstep_idempotency set created_at = ${ago}`);
    expect(await together(writes, { idempotency })).toMatchObject({
      status: 'applied',
      rows: [{ version: 2 }],
    });
  });

  it('is rolled back whole where a second look says no', async () => {
    const writes = [{ key: account(1), change: put({ owner: 'ann' }), fence: 4 }];
    const no = await together(writes, { verify: () => Promise.resolve(false) });
    expect(no).toEqual({ status: 'unverified' });
    expect(await read(account(1))).toEqual({ version: 0, fence: 0, row: null });
  });

  it('tells the columns of related keys before and after', async () => {
    await write(owned(1), put({ owner: 'ann' }));
    const result = await together([
      { key: owned(1), change: patch({ owner: 'bob' }), outbox: true },
    ]);
    expect(result).toMatchObject({
      rows: [{ related: { before: { owner: 'ann' }, after: { owner: 'bob' } } }],
    });
  });

  it('over the same keys in opposite orders end without a deadlock (T4)', async () => {
    for (const id of [1, 2, 3]) await write(account(id), put({ owner: `o${id}`, balance: 0 }));
    const orders = [
      [1, 2, 3],
      [3, 2, 1],
      [2, 1, 3],
    ];
    const results = await Promise.all(
      Array.from({ length: 9 }, (_, index) =>
        together(
          (orders[index % 3] ?? []).map((id) => ({
            key: account(id),
            change: patch({}, { balance: '1' }),
          })),
        ),
      ),
    );
    expect(results.map(({ status }) => status)).toEqual(results.map(() => 'applied'));
    expect(await read(account(2))).toMatchObject({ version: 10, row: { balance: 9 } });
  });
});
