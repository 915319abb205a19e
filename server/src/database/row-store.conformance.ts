import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { Row } from '@lockstep/shared';
import { makeKey, type Change, type Key } from '../domain/index.ts';
import type { DatabaseClient } from '../testing/index.ts';
import { bindResources } from './bind-resources.ts';
import type { RowWrite, RowWriteResult } from './port.ts';
import { openTestDatabase, type TestDatabase } from './testing/open-test-database.ts';
import { config, createTables, type TestResources } from './testing/tables.ts';

/** MySQL shows its waiting transactions from a cache that it refreshes only when nobody asks for a while. */
const POLL = { interval: 200, timeout: 5_000 };

/** What makes a table too large to be sampled whole. */
const LARGE = {
  pg: {
    numbers: 'generate_series(1, 25000) as n',
    filler: `repeat('x', 250)`,
    uuid: 'gen_random_uuid()',
    analyze: 'analyze ',
  },
  mysql2: {
    numbers: '(select seq as n from seq_1_to_25000) as numbers',
    filler: `''`,
    uuid: 'uuid()',
    analyze: 'analyze table ',
  },
};

/** What every row store must do, against a real server. */
export function describeRowStore(client: DatabaseClient): void {
  describe(`row store on ${client}`, () => {
    let database: TestDatabase;
    let resources: TestResources;
    beforeAll(async () => {
      database = await openTestDatabase(client);
      resources = await createTables(database);
    });
    afterAll(() => database?.drop());
    beforeEach(async () => {
      for (const table of [
        'accounts',
        'notes',
        'lockstep_keys',
        'lockstep_outbox',
        'lockstep_idempotency',
      ]) {
        await database.execute(`delete from ${table}`);
      }
    });

    const account = (id: number | string): Key => makeKey(resources.account, [String(id)]);
    const owned = (id: number): Key => makeKey(resources.owned, [String(id)]);
    const write = (
      key: Key,
      change: Change,
      rest: Partial<RowWrite> = {},
    ): Promise<RowWriteResult> => database.rows.write({ key, change, outbox: false, ...rest });
    const put = (set: Row, onlyCreate = false): Change => ({ op: 'put', set, onlyCreate });
    const patch = (set: Row, increment: Record<string, string> = {}): Change => ({
      op: 'patch',
      set,
      increment,
    });
    const remove: Change = { op: 'delete' };
    const read = (key: Key) => database.rows.read(key);

    describe('read', () => {
      it('answers version 0 and no row for a key that nobody wrote', async () => {
        expect(await read(account(1))).toEqual({ version: 0, fence: 0, row: null });
      });

      it('answers version 0 for a row that was there before', async () => {
        await database.execute(`insert into accounts (id, owner) values (1, 'ann')`);
        expect(await read(account(1))).toMatchObject({
          version: 0,
          row: { id: 1, owner: 'ann', balance: 10 },
        });
      });

      it('reads many keys in order, with their versions', async () => {
        await write(account(1), put({ owner: 'ann' }), { fence: 5 });
        await write(account(3), put({ owner: 'cat' }));
        await write(account(3), patch({ owner: 'cid' }));
        const rows = await database.rows.readMany(resources.account, [
          account(3),
          account(2),
          account(1),
        ]);
        expect(rows.map(({ version, fence, row }) => [version, fence, row?.owner])).toEqual([
          [2, 0, 'cid'],
          [0, 0, undefined],
          [1, 5, 'ann'],
        ]);
        expect(await database.rows.readMany(resources.account, [])).toEqual([]);
      });

      it('reads many composite keys', async () => {
        const keys = ['a,b', 'a%2Cb', 'é\n/"\''].map((shelf, place) =>
          makeKey(resources.note, [shelf, String(place)]),
        );
        for (const key of keys) await write(key, put({ body: key.text }));
        const rows = await database.rows.readMany(resources.note, keys);
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
        await database.execute(`update accounts set hidden = 'secret' where id = 1`);
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
        const [many] = await database.rows.readMany(resources.account, [account(1)]);
        expect(JSON.stringify(many?.row)).toBe(JSON.stringify(written.row));
        expect(Object.keys(written.row ?? {})).toEqual(
          resources.account.columns.map((column) => column.name),
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
        await database.execute(`insert into accounts (id, owner) values (1, 'ann')`);
        expect(await write(account(1), remove, { ifMatch: 0 })).toMatchObject({
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

      it('lets no turn commit whose fence is not above the stored one', async () => {
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
        expect(await database.rows.raiseFence(account(1), 20)).toMatchObject({
          status: 'raised',
          row: { version: 1, fence: 20, row: { owner: 'ann' } },
        });
        expect(await database.rows.raiseFence(account(1), 20)).toEqual({
          status: 'fenced',
          storedFence: 20,
        });
        expect(await database.rows.raiseFence(account(2), 7)).toEqual({
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
        expect(await write(account(2), change())).toEqual({
          status: 'refused',
          refusal: { reason: 'constraint', kind, constraint, currentVersion: 0 },
        });
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
        expect(await database.rows.findOutcome('once')).toEqual(record);
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
        await database.rows.recordRefusal(account(1), idempotency, refusal);
        await database.rows.recordRefusal(account(1), idempotency, {
          reason: 'exists',
          currentVersion: 9,
        });
        const record = { requestHash: 'hash', result: { status: 'refused', refusal } };
        expect(await database.rows.findOutcome('once')).toMatchObject(record);
        expect(await write(account(1), put({ owner: 'ann' }), { idempotency })).toMatchObject({
          status: 'replayed',
          record,
        });
      });

      it('records a refusal together with its fence', async () => {
        const refusal = { reason: 'not-found', currentVersion: 0 } as const;
        await database.rows.raiseFence(account(1), 5, { idempotency, refusal });
        expect(await database.rows.findOutcome('once')).toMatchObject({
          result: { status: 'refused', refusal },
        });
        expect((await read(account(1))).fence).toBe(5);
      });

      it('forgets after 24 hours', async () => {
        await write(account(1), put({ owner: 'ann' }), { idempotency });
        const ago = client === 'pg' ? `now() - interval '25 hours'` : 'now(6) - interval 25 hour';
        await database.execute(`update lockstep_idempotency set created_at = ${ago}`);
        expect(await database.rows.findOutcome('once')).toBeNull();
        expect(await write(account(1), patch({ note: 'x' }), { idempotency })).toMatchObject({
          version: 2,
        });
        await database.execute(`update lockstep_idempotency set created_at = ${ago}`);
        expect(await database.rows.pruneOutcomes(10)).toBe(1);
        expect(await database.rows.pruneOutcomes(10)).toBe(0);
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
        const { related } = applied(
          await write(account(1), put({ owner: 'ann' }), { outbox: true }),
        );
        expect(related).toEqual({ before: null, after: null });
      });
    });

    describe('concurrent writers of one row', () => {
      it('lose no increment and count every version once', async () => {
        await write(account(1), put({ owner: 'ann', balance: 0 }));
        const results = await Promise.all(
          Array.from({ length: 40 }, () => write(account(1), patch({}, { balance: '1' }))),
        );
        const versions = results.map((result) => applied(result).version).sort((a, b) => a - b);
        expect(versions).toEqual(Array.from({ length: 40 }, (_, index) => index + 2));
        for (const result of results) {
          const { row, version } = applied(result);
          expect(row?.balance).toBe(version - 1); // each saw the write before it
        }
      });

      it('create and delete it in turns, and each sees what the one before it left', async () => {
        const changes = Array.from({ length: 60 }, (_, index) =>
          index % 3 === 2 ? remove : put({ owner: `o${index}` }, index % 3 === 1),
        );
        const results = await Promise.all(changes.map((change) => write(owned(1), change)));
        const history = results
          .flatMap((result) => (result.status === 'applied' ? [result] : []))
          .sort((a, b) => a.version - b.version);
        let before: Row | null = null;
        for (const [index, { version, related, created, row }] of history.entries()) {
          expect(version).toBe(index + 1);
          expect(related.before).toEqual(before);
          expect(created).toBe(before === null && row !== null);
          before = related.after;
        }
        const now = await read(owned(1));
        expect(now.version).toBe(history.length);
        expect(now.row?.owner).toBe(before?.owner);
      });

      it('admit one of many creators', async () => {
        const results = await Promise.all(
          Array.from({ length: 12 }, (_, index) =>
            write(account(1), put({ owner: `o${index}` }, true)),
          ),
        );
        expect(results.filter(({ status }) => status === 'applied')).toHaveLength(1);
        expect(results.filter((result) => refusalReason(result) === 'exists')).toHaveLength(11);
      });

      it('admit one of many that ask for the same version', async () => {
        await write(account(1), put({ owner: 'ann' }));
        const results = await Promise.all(
          Array.from({ length: 12 }, () => write(account(1), patch({ note: 'x' }), { ifMatch: 1 })),
        );
        expect(results.filter(({ status }) => status === 'applied')).toHaveLength(1);
        expect(
          results.filter((result) => refusalReason(result) === 'version-mismatch'),
        ).toHaveLength(11);
      });

      it('waits for a writer who changes the row behind its back, and builds on it', async () => {
        await write(owned(1), put({ owner: 'ann', balance: 1 }));
        let change: Promise<RowWriteResult> | undefined;
        await database.sql.transaction(async (session) => {
          const sql = `update accounts set owner = 'eve', balance = 100 where id = 1`;
          await session.run({ pg: sql, mysql2: sql });
          change = write(owned(1), patch({}, { balance: '1' }));
          await blocked(1);
        });
        expect(applied(await unwrap(change))).toMatchObject({
          row: { owner: 'eve', balance: 101 },
          related: { before: { owner: 'eve' }, after: { owner: 'eve' } },
        });
      });

      it('come through a deadlock with another program', async () => {
        await write(account(1), put({ owner: 'ann', balance: 1 }));
        let change: Promise<RowWriteResult> | undefined;
        const other = database.sql.transaction(async (session) => {
          const run = (sql: string) => session.run({ pg: sql, mysql2: sql });
          await run('update accounts set balance = balance + 10 where id = 1');
          change = write(account(1), patch({}, { balance: '1' }));
          await blocked(1);
          await run(`update lockstep_keys set fence = fence where resource = 'account'`);
        });
        const otherCommitted = await other.then(
          () => true,
          () => false,
        );
        const { row, version } = applied(await unwrap(change));
        expect([version, row?.balance]).toEqual([2, otherCommitted ? 12 : 2]);
      });
    });

    describe('keys', () => {
      it('tells keys apart that only differ in their spelling', async () => {
        const keys = ['a', 'A', 'á', ' a', 'ａ', ...(client === 'pg' ? ['a '] : [])].map((shelf) =>
          makeKey(resources.note, [shelf, '1']),
        );
        for (const key of keys) await write(key, put({ body: JSON.stringify(key.parts) }));
        for (const key of keys) {
          expect(await read(key)).toMatchObject({
            version: 1,
            row: { body: JSON.stringify(key.parts) },
          });
        }
      });

      it.runIf(client === 'mysql2')(
        'takes no row for a key that its collation only takes for equal',
        async () => {
          await database.execute(`create table if not exists people (
          name varchar(50) primary key, age int) collate utf8mb4_general_ci`);
          const people = config({
            name: 'person',
            table: 'people',
            key: ['name'],
            cacheKey: 'person:{name}',
          });
          const [person] = (await bindResources([people], database.catalog)).resources;
          if (person === undefined) throw new Error('not bound');
          const [ann, other, padded] = ['Ann', 'ann', 'Ann '].map((name) =>
            makeKey(person, [name]),
          );
          if (!ann || !other || !padded) throw new Error('no keys');
          await write(ann, put({ age: 1 }));
          for (const key of [other, padded]) {
            expect(await read(key)).toEqual({ version: 0, fence: 0, row: null });
            expect(await write(key, patch({ age: 2 }))).toMatchObject({
              refusal: { reason: 'not-found' },
            });
            expect(await write(key, remove)).toMatchObject({ refusal: { reason: 'not-found' } });
            expect(await write(key, put({ age: 2 }))).toMatchObject({
              refusal: { kind: 'unique', currentVersion: 0 },
            });
          }
          const rows = await database.rows.readMany(person, [other, ann, padded]);
          expect(rows.map(({ version, row }) => [version, row?.age])).toEqual([
            [0, undefined],
            [1, 1],
            [0, undefined],
          ]);
        },
      );

      it.runIf(client === 'pg')('takes a key of 2,048 bytes', async () => {
        const key = makeKey(resources.note, ['é'.repeat(1023), '1']);
        expect(await write(key, put({ body: 'x' }))).toMatchObject({ status: 'applied' });
        expect(await read(key)).toMatchObject({ version: 1, row: { body: 'x' } });
      });
    });

    describe('samples', () => {
      it('answers random keys, and no more than there are', async () => {
        for (let id = 1; id <= 30; id++)
          await database.execute(`insert into accounts (id, owner) values (${id}, 'o${id}')`);
        const sample = await database.rows.sampleKeys(resources.account, 10);
        expect(new Set(sample.map((key) => key.text)).size).toBe(10);
        expect(await database.rows.sampleKeys(resources.account, 100)).toHaveLength(30);
        const other = await database.rows.sampleKeys(resources.account, 10);
        expect(texts(other)).not.toEqual(texts(sample));
      });

      it.each(['bigint', client === 'pg' ? 'uuid' : 'varchar(36)', 'varchar(40)'])(
        'picks from all over a large table with a key of type %s',
        async (type) => {
          const name = `large_${type.replace(/\W/g, '')}`;
          const key =
            { bigint: 'n', 'varchar(40)': `concat('item ', n)` }[type] ?? LARGE[client].uuid;
          await database.execute(
            `create table ${name} (id ${type} primary key, filler varchar(300))`,
          );
          await database.execute(
            `insert into ${name} select ${key}, ${LARGE[client].filler} from ${LARGE[client].numbers}`,
          );
          await database.execute(LARGE[client].analyze + name);
          const [resource] = (await bindResources([config({ table: name })], database.catalog))
            .resources;
          if (resource === undefined) throw new Error('not bound');
          const samples = [];
          for (let round = 0; round < 3; round++)
            samples.push(texts(await database.rows.sampleKeys(resource, 100)));
          for (const sample of samples) {
            expect(sample.length).toBeGreaterThan(client === 'pg' ? 99 : 30);
            expect(new Set(sample).size).toBe(sample.length);
          }
          expect(new Set(samples.flat()).size).toBeGreaterThan((samples[0]?.length ?? 0) * 1.5);
        },
      );

      it('answers the keys written last, newest first', async () => {
        for (const id of [1, 2, 3, 1]) await write(account(id), put({ owner: `o${id}` }));
        await write(makeKey(resources.note, ['s', '1']), put({ body: 'x' }));
        expect(texts(await database.rows.recentKeys(resources.account, 2))).toEqual(['1', '3']);
      });
    });

    const texts = (keys: Key[]): string[] => keys.map((key) => key.text);

    async function expectRows(sql: string, count: number): Promise<void> {
      expect((await database.sql.run({ pg: sql, mysql2: sql })).rows).toHaveLength(count);
    }

    /** Resolves when so many statements of this database wait for a lock. */
    async function blocked(count: number): Promise<void> {
      const statement = {
        pg: `select pid from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'`,
        mysql2: `select trx_id from information_schema.innodb_trx where trx_state = 'LOCK WAIT'`,
      };
      await expect
        .poll(async () => (await database.sql.run(statement)).rows.length, POLL)
        .toBeGreaterThanOrEqual(count);
    }
  });
}

function applied(result: RowWriteResult): Extract<RowWriteResult, { status: 'applied' }> {
  if (result.status !== 'applied') throw new Error(`not applied: ${JSON.stringify(result)}`);
  return result;
}

const refusalReason = (result: RowWriteResult): string | null =>
  result.status === 'refused' ? result.refusal.reason : null;

function unwrap<T>(value: T | undefined): T {
  if (value === undefined) throw new Error('not there');
  return value;
}
