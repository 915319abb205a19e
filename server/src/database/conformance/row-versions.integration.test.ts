import { describe, expect, it } from 'vitest';
import { installedClients } from '@lockstep/testkit/servers';
import { put, patch, remove, applied, useRowStore } from '../testing/row-store.ts';

/** What every row store must do, against a real server: versions, fences and outcomes. */
describe.each(installedClients())('row store on %s: versions, fences and outcomes', (client) => {
  const store = useRowStore(client);
  const { account, owned, write, read, expectRows } = store;

  describe('version and fence', () => {
    it('writes only at the version that is asked for', async () => {
      await write(account(1), put({ owner: 'ann' }), { ifMatch: 0 });
      expect(await write(account(1), patch({ note: 'x' }), { ifMatch: 0 })).toEqual({
        status: 'refused',
        refusal: { reason: 'version-mismatch', currentVersion: 1 },
      });
      expect(await write(account(2), put({ owner: 'bob' }), { ifMatch: 3 })).toEqual({
        status: 'refused',
        refusal: { reason: 'version-mismatch', currentVersion: 0 },
      });
      expect(await read(account(2))).toEqual({ version: 0, fence: 0, row: null });
      expect(await write(account(1), patch({ note: 'x' }), { ifMatch: 1 })).toMatchObject({
        version: 2,
      });
    });

    it('takes 0 as the version of a row that was there before', async () => {
      await store.database.execute(`insert into accounts (id, owner) values (1, 'ann')`);
      const { tag: ifMatchTag = '' } = await read(account(1));
      expect(await write(account(1), remove, { ifMatch: 0, ifMatchTag })).toMatchObject({
        status: 'applied',
        version: 1,
      });
    });

    it('says the version before what else is wrong', async () => {
      await write(account(1), put({ owner: 'ann' }));
      await write(account(1), remove);
      expect(await write(account(1), patch({ note: 'x' }), { ifMatch: 1 })).toMatchObject({
        refusal: { reason: 'version-mismatch', currentVersion: 2 },
      });
      expect(await write(account(1), put({ owner: null }), { ifMatch: 1 })).toMatchObject({
        refusal: { reason: 'version-mismatch', currentVersion: 2 },
      });
    });

    it('lets no write commit whose fence is not above the stored one', async () => {
      await write(account(1), put({ owner: 'ann' }), { fence: 10 });
      for (const fence of [9, 10]) {
        expect(await write(account(1), patch({ note: 'x' }), { fence })).toEqual({
          status: 'fenced',
          storedFence: 10,
        });
      }
      expect(await write(account(1), patch({ note: 'x' }), { fence: 11 })).toMatchObject({
        version: 2,
      });
      expect(await read(account(1))).toMatchObject({ version: 2, fence: 11 });
    });

    it('keeps the fence through writes without one', async () => {
      await write(account(1), put({ owner: 'ann' }), { fence: 10 });
      await write(account(1), patch({ note: 'x' }));
      expect(await read(account(1))).toMatchObject({ version: 2, fence: 10 });
    });

    it('raises a fence and answers the row as it is after', async () => {
      await write(account(1), put({ owner: 'ann' }), { fence: 10 });
      expect(await store.database.rows.raiseFence(account(1), 20)).toMatchObject({
        status: 'raised',
        row: { version: 1, fence: 20, row: { owner: 'ann' } },
      });
      expect(await store.database.rows.raiseFence(account(1), 20)).toEqual({
        status: 'fenced',
        storedFence: 20,
      });
      expect(await store.database.rows.raiseFence(account(2), 7)).toEqual({
        status: 'raised',
        row: { version: 0, fence: 7, row: null },
      });
      expect(await write(account(2), put({ owner: 'bob' }), { fence: 6 })).toMatchObject({
        status: 'fenced',
      });
      expect(await write(account(2), put({ owner: 'bob' }), { fence: 8 })).toMatchObject({
        version: 1,
      });
    });

    it('stores nothing of a refused write', async () => {
      await write(account(1), put({ owner: 'ann' }), { fence: 10 });
      await write(account(1), patch({ owner: null }), { fence: 20, outbox: true });
      expect(await read(account(1))).toMatchObject({ version: 1, fence: 10 });
      await expectRows('select 1 from lockstep_outbox', 0);
    });
  });

  describe('idempotency', () => {
    const idempotency = { key: 'once', requestHash: 'hash' };

    it('applies a write once and answers its first outcome again', async () => {
      const first = applied(
        await write(account(1), put({ owner: 'ann', rate: '1.50' }), { idempotency, fence: 3 }),
      );
      const again = await write(account(1), put({ owner: 'ann', rate: '1.50' }), {
        idempotency,
        fence: 4,
      });
      const { created, version, row } = first;
      const record = {
        requestHash: 'hash',
        resource: 'account',
        keyText: '1',
        result: { status: 'applied', created, version, row, fence: 3 },
      };
      expect(again).toEqual({ status: 'replayed', record });
      expect(await store.database.rows.findOutcome('once')).toEqual(record);
      expect(await read(account(1))).toMatchObject({ version: 1, fence: 3 });
    });

    it('answers the outcome even where the same write would be refused now', async () => {
      await write(account(1), put({ owner: 'ann' }));
      await write(account(1), remove, { idempotency, ifMatch: 1 });
      const again = await write(account(1), remove, { idempotency, ifMatch: 1 });
      expect(again).toMatchObject({
        status: 'replayed',
        record: { result: { version: 2, row: null } },
      });
    });

    it('tells that the key was used for another request', async () => {
      await write(account(1), put({ owner: 'ann' }), { idempotency });
      const other = await write(account(2), put({ owner: 'bob' }), {
        idempotency: { key: 'once', requestHash: 'other' },
      });
      expect(other).toMatchObject({
        status: 'replayed',
        record: { requestHash: 'hash', keyText: '1' },
      });
      expect((await read(account(2))).row).toBeNull();
    });

    it('records a refusal, and only the first', async () => {
      const refusal = { reason: 'not-found', currentVersion: 0 } as const;
      await store.database.rows.recordRefusal(account(1), idempotency, refusal);
      await store.database.rows.recordRefusal(account(1), idempotency, {
        reason: 'exists',
        currentVersion: 9,
      });
      const record = { requestHash: 'hash', result: { status: 'refused', refusal } };
      expect(await store.database.rows.findOutcome('once')).toMatchObject(record);
      expect(await write(account(1), put({ owner: 'ann' }), { idempotency })).toMatchObject({
        status: 'replayed',
        record,
      });
    });

    it('records a refusal together with its fence', async () => {
      const refusal = { reason: 'not-found', currentVersion: 0 } as const;
      await store.database.rows.raiseFence(account(1), 5, { idempotency, refusal });
      expect(await store.database.rows.findOutcome('once')).toMatchObject({
        result: { status: 'refused', refusal },
      });
      expect((await read(account(1))).fence).toBe(5);
    });

    it('forgets after 24 hours', async () => {
      await write(account(1), put({ owner: 'ann' }), { idempotency });
      const ago = client === 'pg' ? `now() - interval '25 hours'` : 'now(6) - interval 25 hour';
      await store.database.execute(`update lockstep_idempotency set created_at = ${ago}`);
      expect(await store.database.rows.findOutcome('once')).toBeNull();
      expect(await write(account(1), patch({ note: 'x' }), { idempotency })).toMatchObject({
        version: 2,
      });
      await store.database.execute(`update lockstep_idempotency set created_at = ${ago}`);
      expect(await store.database.rows.pruneOutcomes(10)).toBe(1);
      expect(await store.database.rows.pruneOutcomes(10)).toBe(0);
    });

    it('applies one of many repeats that come at once', async () => {
      await write(account(1), put({ owner: 'ann', balance: 0 }));
      const change = patch({}, { balance: '1' });
      const results = await Promise.all(
        Array.from({ length: 8 }, () => write(account(1), change, { idempotency })),
      );
      expect(results.filter(({ status }) => status === 'applied')).toHaveLength(1);
      expect(results.filter(({ status }) => status === 'replayed')).toHaveLength(7);
      expect((await read(account(1))).row).toMatchObject({ balance: 1 });
    });
  });

  describe('outbox and related keys', () => {
    it('leaves an outbox row in the same transaction, with the columns of related keys', async () => {
      const created = applied(await write(owned(1), put({ owner: 'ann' }), { outbox: true }));
      expect(created.related).toEqual({ before: null, after: { owner: 'ann' } });
      expect(created.outboxId).toMatch(/^\d+$/);
      const moved = applied(await write(owned(1), patch({ owner: 'bob' }), { outbox: true }));
      expect(moved.related).toEqual({ before: { owner: 'ann' }, after: { owner: 'bob' } });
      const replaced = applied(await write(owned(1), put({ owner: 'cat' })));
      expect(replaced).toMatchObject({
        outboxId: null,
        related: { before: { owner: 'bob' }, after: { owner: 'cat' } },
      });
      const deleted = applied(await write(owned(1), remove, { outbox: true }));
      expect(deleted.related).toEqual({ before: { owner: 'cat' }, after: null });
      await expectRows('select 1 from lockstep_outbox', 3);
    });

    it('says nothing of related keys where there are none', async () => {
      const { related } = applied(await write(account(1), put({ owner: 'ann' }), { outbox: true }));
      expect(related).toEqual({ before: null, after: null });
    });
  });
});
