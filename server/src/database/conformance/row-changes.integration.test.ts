import { beforeEach, describe, expect, it } from 'vitest';
import { makeKey } from '../../domain/index.ts';
import { installedClients } from '@lockstep/testkit/servers';
import { put, patch, remove, applied, useRowStore } from '../testing/row-store.ts';

/** What every row store must do, against a real server: rows and changes. */
describe.each(installedClients())('row store on %s: rows and changes', (client) => {
  const store = useRowStore(client);
  const { account, write, read, expectRows } = store;

  describe('read', () => {
    it('answers version 0 and no row for a key that nobody wrote', async () => {
      expect(await read(account(1))).toEqual({ version: 0, fence: 0, row: null });
    });

    it('answers version 0 for a row that was there before', async () => {
      await store.database.execute(`insert into accounts (id, owner) values (1, 'ann')`);
      expect(await read(account(1))).toMatchObject({
        version: 0,
        row: { id: 1, owner: 'ann', balance: 10 },
      });
    });

    it('reads many keys in order, with their versions', async () => {
      await write(account(1), put({ owner: 'ann' }), { fence: 5 });
      await write(account(3), put({ owner: 'cat' }));
      await write(account(3), patch({ owner: 'cid' }));
      const rows = await store.database.rows.readMany(store.resources.account, [
        account(3),
        account(2),
        account(1),
      ]);
      expect(rows.map(({ version, fence, row }) => [version, fence, row?.owner])).toEqual([
        [2, 0, 'cid'],
        [0, 0, undefined],
        [1, 5, 'ann'],
      ]);
      expect(await store.database.rows.readMany(store.resources.account, [])).toEqual([]);
    });

    it('reads many composite keys', async () => {
      const keys = ['a,b', 'a%2Cb', 'é\n/"\''].map((shelf, place) =>
        makeKey(store.resources.note, [shelf, String(place)]),
      );
      for (const key of keys) await write(key, put({ body: key.text }));
      const rows = await store.database.rows.readMany(store.resources.note, keys);
      expect(rows.map(({ row }) => row?.body)).toEqual(keys.map((key) => key.text));
    });
  });

  describe('put', () => {
    it('creates, then replaces, and counts the version by one', async () => {
      const created = await write(account(1), put({ owner: 'ann', balance: 5 }));
      expect(created).toMatchObject({
        status: 'applied',
        created: true,
        version: 1,
        row: { id: 1, balance: 5 },
      });
      const replaced = await write(account(1), put({ owner: 'bob' }));
      expect(replaced).toMatchObject({
        status: 'applied',
        created: false,
        version: 2,
        row: { owner: 'bob' },
      });
    });

    it('gives columns that are left out their default, and leaves those that are not configured', async () => {
      await write(account(1), put({ owner: 'ann', balance: 5, note: 'n', active: false }));
      await store.database.execute(`update accounts set hidden = 'secret' where id = 1`);
      const { row } = applied(await write(account(1), put({ owner: 'ann' })));
      expect(row).toMatchObject({ balance: 10, note: null, active: true, twice: 20 });
      await expectRows(`select 1 from accounts where hidden = 'secret'`, 1);
    });

    it('only creates where it is told so', async () => {
      await write(account(1), put({ owner: 'ann' }, true));
      expect(await write(account(1), put({ owner: 'bob' }, true))).toEqual({
        status: 'refused',
        refusal: { reason: 'exists', currentVersion: 1 },
      });
      expect(await read(account(1))).toMatchObject({ version: 1, row: { owner: 'ann' } });
    });

    it('answers the very row that a read answers, in every type', async () => {
      const row = {
        owner: 'ünï \u{1F600} \'"\\',
        balance: '9007199254740993',
        rate: '12345678.90',
        score: 0.1,
        small: -32768,
        note: 'a\nb\t\\0',
        active: false,
        seen: '2026-01-02T03:04:05.678901Z',
        born: '1999-12-31',
        doc: { a: [1, null, 'x'], b: { c: 'é' } },
        raw: Buffer.from([0, 1, 2, 255]).toString('base64'),
      };
      const written = applied(
        await write(account(1), put({ ...row, balance: '4503599627370497' })),
      );
      expect(written.row).toEqual({
        id: 1,
        ...row,
        balance: 4503599627370497,
        twice: 9007199254740994 > Number.MAX_SAFE_INTEGER ? '9007199254740994' : 9007199254740994,
      });
      expect(JSON.stringify((await read(account(1))).row)).toBe(JSON.stringify(written.row));
      const [many] = await store.database.rows.readMany(store.resources.account, [account(1)]);
      expect(JSON.stringify(many?.row)).toBe(JSON.stringify(written.row));
      expect(Object.keys(written.row ?? {})).toEqual(
        store.resources.account.columns.map((column) => column.name),
      );
    });

    it('shows a time with its milliseconds', async () => {
      const { row } = applied(
        await write(account(1), put({ owner: 'ann', seen: '2026-01-02T03:04:05Z' })),
      );
      expect(row?.seen).toBe('2026-01-02T03:04:05.000Z');
    });
  });

  describe('patch', () => {
    it('changes only what is given', async () => {
      await write(account(1), put({ owner: 'ann', balance: 5, note: 'n' }));
      const { row, version, created } = applied(await write(account(1), patch({ note: 'm' })));
      expect({ row, version, created }).toMatchObject({
        row: { owner: 'ann', balance: 5, note: 'm' },
        version: 2,
        created: false,
      });
    });

    it('adds exactly', async () => {
      await write(
        account(1),
        put({ owner: 'ann', balance: '900719925474099', rate: '0.10', score: 0.5 }),
      );
      const change = patch({ note: 'x' }, { balance: '-5', rate: '0.2', score: '1.25' });
      const { row } = applied(await write(account(1), change));
      expect(row).toMatchObject({
        balance: 900719925474094,
        rate: '0.30',
        score: 1.75,
        note: 'x',
      });
    });

    it('leaves NULL what is NULL when adding', async () => {
      await write(account(1), put({ owner: 'ann' }));
      expect(applied(await write(account(1), patch({}, { small: '1' }))).row).toMatchObject({
        small: null,
      });
    });

    it('refuses a sum that does not fit, and changes nothing', async () => {
      await write(account(1), put({ owner: 'ann', small: 32767 }));
      expect(await write(account(1), patch({ note: 'x' }, { small: '1' }))).toMatchObject({
        status: 'refused',
        refusal: { reason: 'invalid', currentVersion: 1 },
      });
      expect(await read(account(1))).toMatchObject({
        version: 1,
        row: { small: 32767, note: null },
      });
    });

    it('with nothing to change counts as a write', async () => {
      await write(account(1), put({ owner: 'ann' }));
      expect(await write(account(1), patch({}))).toMatchObject({ status: 'applied', version: 2 });
    });

    it('refuses where there is no row', async () => {
      expect(await write(account(1), patch({ note: 'x' }))).toEqual({
        status: 'refused',
        refusal: { reason: 'not-found', currentVersion: 0 },
      });
      expect(await read(account(1))).toEqual({ version: 0, fence: 0, row: null });
    });
  });

  describe('delete', () => {
    it('deletes, and the version goes on from there', async () => {
      await write(account(1), put({ owner: 'ann' }));
      expect(await write(account(1), remove)).toMatchObject({
        status: 'applied',
        version: 2,
        row: null,
      });
      expect(await write(account(1), remove)).toMatchObject({
        status: 'refused',
        refusal: { reason: 'not-found', currentVersion: 2 },
      });
      expect(await write(account(1), put({ owner: 'ann' }))).toMatchObject({
        created: true,
        version: 3,
      });
    });
  });

  describe('what the database refuses', () => {
    beforeEach(() => write(account(1), put({ owner: 'ann' })));

    it.each([
      ['a unique value that is taken', () => put({ owner: 'ann' }), 'unique', 'one_account_each'],
      ['NULL in a NOT NULL column', () => put({ owner: null }), 'not-null', 'owner'],
      ['a NOT NULL column that is left out', () => put({ note: 'x' }), 'not-null', 'owner'],
      [
        'a value against a check',
        () => put({ owner: 'bob', balance: -2000 }),
        'check',
        'balance_not_low',
      ],
    ] as const)('names the constraint: %s', async (_, change, kind, constraint) => {
      const result = await write(account(2), change());
      expect(result).toMatchObject({
        status: 'refused',
        refusal: { reason: 'constraint', kind, constraint, currentVersion: 0 },
      });
      expect(JSON.stringify(result)).not.toMatch(/ann|2000/);
      expect(await read(account(2))).toEqual({ version: 0, fence: 0, row: null });
    });

    it('says that a value does not fit, without the value', async () => {
      const result = await write(account(1), patch({ owner: 'x'.repeat(21) }));
      expect(result).toMatchObject({
        refusal: { reason: 'invalid', message: 'is too long', currentVersion: 1 },
      });
      expect(JSON.stringify(result)).not.toContain('xxx');
    });
  });
});
