import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { GONE, makeKey, type Change, type Key, type Resource } from '../../domain/index.ts';
import { installedClients } from '@lockstep/testkit/servers';
import { bindResources } from '../configuration/bind-resources.ts';
import { knowTables } from '../configuration/names.ts';
import type { RowWrite, RowWriteResult, VersionedRow } from '../port.ts';
import { openTestDatabase } from '@lockstep/testkit/database/open-test-database';
import {
  applied,
  patch,
  put,
  refusalReason,
  remove,
  unwrap,
  useRowStore,
} from '../testing/row-store.ts';
import { config } from '@lockstep/testkit/database/tables';

/** Changes of the row by another program; each must give it another entity tag. */
const CHANGES: [string, string[]][] = [
  ['an update', [`update accounts set note = 'theirs' where id = 1`]],
  ['an update of a computed column', [`update accounts set balance = 11 where id = 1`]],
  [
    'a delete and an insert',
    ['delete from accounts where id = 1', `insert into accounts (id, owner) values (1, 'eve')`],
  ],
  [
    'a move of another row to its key',
    [
      `insert into accounts (id, owner) values (7, 'eve')`,
      'delete from accounts where id = 1',
      'update accounts set id = 1 where id = 7',
    ],
  ],
];

const SOME_TAG: unknown = expect.any(String);

/** Writes that need the row to be there. */
const WRITES: [string, Change][] = [
  ['patch', patch({ note: 'ours' })],
  ['put', put({ owner: 'ours' })],
  ['delete', remove],
];

/** What every row store must do, against a real server: rows that another program changed have another entity tag. */
describe.each(installedClients())('row store on %s: entity tags', (client) => {
  const store = useRowStore(client);
  const { account, note, write, read, blocked } = {
    ...store,
    note: (place: number) => makeKey(store.resources.note, ['a', String(place)]),
  };
  const theirs = async (statements: readonly string[]): Promise<void> => {
    for (const sql of statements) await store.database.execute(sql);
  };
  const nameOf = ({ version, tag }: VersionedRow): Pick<RowWrite, 'ifMatch' | 'ifMatchTag'> => ({
    ifMatch: version,
    ...(tag === undefined ? {} : { ifMatchTag: tag }),
  });

  it('a row that only Lockstep writes has the plain version, whatever was refused in between (V1)', async () => {
    await write(account(1), put({ owner: 'ann' }), { fence: 10 });
    await write(account(2), put({ owner: 'bob' }));
    await write(account(1), patch({ owner: 'bob' }), { fence: 11 });
    await write(account(1), patch({ note: 'x' }), { ifMatch: 7 });
    await store.database.rows.raiseFence(account(1), 12);
    await store.database.rows.raiseFence(account(1), 13);
    expect(await read(account(1))).not.toHaveProperty('tag');
    expect(await write(account(1), patch({ note: 'y' }), { ifMatch: 1 })).toMatchObject({
      version: 2,
    });
    await store.database.rows.writeTogether({
      writes: [1, 2].map((id) => ({
        key: account(id),
        change: patch({ note: 'together' }),
        outbox: false,
      })),
    });
    await store.database.rows.raiseFence(account(1), 14);
    for (const id of [1, 2]) expect(await read(account(id))).not.toHaveProperty('tag');
    expect(await write(account(1), patch({ note: 'z' }), { ifMatch: 3 })).toMatchObject({
      version: 4,
    });
  });

  describe.each(CHANGES)('after %s by another program', (_, statements) => {
    beforeEach(async () => {
      await write(account(1), put({ owner: 'ann', balance: 1 }));
      await theirs(statements);
    });

    it('the row has a tag, and the same one until it is changed again (V1)', async () => {
      const once = await read(account(1));
      expect(once).toMatchObject({ version: 1, tag: SOME_TAG });
      expect(await read(account(1))).toEqual(once);
      expect(await store.database.rows.readMany(store.resources.account, [account(1)])).toEqual([
        once,
      ]);
      await store.database.rows.raiseFence(account(1), 5);
      expect(await read(account(1))).toMatchObject({ version: 1, tag: once.tag });
      await theirs([`update accounts set note = 'once more' where id = 1`]);
      const twice = await read(account(1));
      expect(twice.tag).toEqual(expect.any(String));
      expect(twice.tag).not.toBe(once.tag);
    });

    it.each(WRITES)(
      'a %s on the plain version is refused, and told the tag (V2)',
      async (_op, change) => {
        const { tag } = await read(account(1));
        const refused = {
          status: 'refused',
          refusal: { reason: 'version-mismatch', currentVersion: 1, currentTag: tag },
        };
        expect(await write(account(1), change, { ifMatch: 1 })).toEqual(refused);
        expect(await write(account(1), change, { ifMatch: 1, fence: 9 })).toEqual(refused);
        expect(await write(account(1), change, { ifMatch: 1, ifMatchTag: 'zz' })).toEqual(refused);
        const together = await store.database.rows.writeTogether({
          writes: [{ key: account(1), change, ifMatch: 1, outbox: false }],
        });
        expect(together).toMatchObject(refused);
      },
    );

    it.each(WRITES)(
      'a %s on the tag is applied, and the plain version follows',
      async (_op, change) => {
        const seen = await read(account(1));
        expect(await write(account(1), change, nameOf(seen))).toMatchObject({
          status: 'applied',
          version: 2,
        });
        expect(await read(account(1))).not.toHaveProperty('tag');
        expect(await write(account(1), put({ owner: 'next' }), { ifMatch: 2 })).toMatchObject({
          version: 3,
        });
      },
    );

    it('a transaction on the tag is applied', async () => {
      const seen = await read(account(1));
      const together = await store.database.rows.writeTogether({
        writes: [
          { key: account(1), change: patch({ note: 'ours' }), outbox: false, ...nameOf(seen) },
          { key: account(2), change: put({ owner: 'new' }), outbox: false },
        ],
      });
      expect(together).toMatchObject({ status: 'applied', rows: [{ version: 2 }, {}] });
      for (const id of [1, 2]) expect(await read(account(id))).not.toHaveProperty('tag');
    });

    it('a write without a condition is applied, and the plain version follows', async () => {
      expect(await write(account(1), patch({ note: 'ours' }))).toMatchObject({ version: 2 });
      expect(await read(account(1))).not.toHaveProperty('tag');
      expect(await write(account(1), patch({ note: 'again' }), { ifMatch: 2 })).toMatchObject({
        version: 3,
      });
    });
  });

  it('a change of a column that the resource does not have counts where the server tells it', async () => {
    await write(account(1), put({ owner: 'ann' }));
    await theirs([`update accounts set hidden = 'theirs' where id = 1`]);
    expect('tag' in (await read(account(1)))).toBe(client === 'pg');
  });

  it('a tag names nothing but the row that has it', async () => {
    await write(account(1), put({ owner: 'ann' }));
    for (const ifMatchTag of ['a', '0', GONE, 'zzzzzzz', 'not_a_tag', 'A'.repeat(16)]) {
      expect(
        refusalReason(await write(account(1), patch({ note: 'x' }), { ifMatch: 1, ifMatchTag })),
      ).toBe('version-mismatch');
    }
    await theirs([`update accounts set note = 'theirs' where id = 1`]);
    const { tag = '' } = await read(account(1));
    await write(account(1), patch({ note: 'ours' }));
    for (const ifMatch of [1, 2]) {
      expect(refusalReason(await write(account(1), remove, { ifMatch, ifMatchTag: tag }))).toBe(
        'version-mismatch',
      );
    }
  });

  it('a put makes no row anew that another program deleted, where it names what was there (V3)', async () => {
    await write(account(1), put({ owner: 'ann' }));
    await theirs(['delete from accounts where id = 1']);
    expect(await read(account(1))).toMatchObject({ version: 1, row: null, tag: GONE });
    const mismatch = { reason: 'version-mismatch', currentVersion: 1, currentTag: GONE };
    for (const ifMatchTag of [undefined, GONE, 'k2']) {
      const named = { ifMatch: 1, ...(ifMatchTag === undefined ? {} : { ifMatchTag }) };
      expect(await write(account(1), put({ owner: 'ann' }), named)).toEqual({
        status: 'refused',
        refusal: mismatch,
      });
    }
    expect(refusalReason(await write(account(1), remove, { ifMatch: 1 }))).toBe('not-found');
    expect(await write(account(1), put({ owner: 'new' }, true))).toMatchObject({
      created: true,
      version: 2,
    });
    expect(await read(account(1))).not.toHaveProperty('tag');
  });

  it('a put on the version of its own deletion makes the row anew, but not over another one', async () => {
    await write(account(1), put({ owner: 'ann' }));
    await write(account(1), remove);
    expect(await read(account(1))).toEqual({ version: 2, fence: 0, row: null });
    await store.database.rows.raiseFence(account(1), 5);
    await theirs([`insert into accounts (id, owner) values (1, 'eve')`]);
    expect(
      refusalReason(await write(account(1), put({ owner: 'bob' }), { ifMatch: 2, fence: 6 })),
    ).toBe('version-mismatch');
    await theirs(['delete from accounts where id = 1']);
    expect(await write(account(1), put({ owner: 'bob' }), { ifMatch: 2, fence: 7 })).toMatchObject({
      status: 'applied',
      created: true,
      version: 3,
    });
  });

  it('the keys of a composite key have tags of their own', async () => {
    for (const place of [1, 2]) await write(note(place), put({ body: 'ours' }));
    await theirs([`update notes set body = 'theirs' where place = 2`]);
    expect(await read(note(1))).not.toHaveProperty('tag');
    expect(await read(note(2))).toHaveProperty('tag');
    const many = await store.database.rows.readMany(store.resources.note, [note(2), note(1)]);
    expect(many.map(({ tag }) => tag !== undefined)).toEqual([true, false]);
    const whole = await store.database.tables.readAll(store.resources.note, 10);
    expect(new Map(whole.map(({ key, tag }) => [key.text, tag]))).toEqual(
      new Map([
        ['a,1', undefined],
        ['a,2', (await read(note(2))).tag],
      ]),
    );
  });

  describe.each(WRITES)(
    'a %s that waits for the row while another program changes it',
    (_, change) => {
      it.each([
        ['by an update', `update accounts set note = 'theirs' where id = 1`],
        ['by a delete', 'delete from accounts where id = 1'],
      ])('%s is refused on the plain version (V2)', async (_how, sql) => {
        await write(account(1), put({ owner: 'ann' }));
        let waiting: Promise<RowWriteResult> | undefined;
        await store.database.sql.transaction(async (session) => {
          await session.run({ pg: sql, mysql2: sql });
          waiting = write(account(1), change, { ifMatch: 1 });
          await blocked(1);
        });
        const result = await unwrap(waiting);
        expect(['version-mismatch', 'not-found']).toContain(refusalReason(result));
        expect(await read(account(1))).toMatchObject({ version: 1, tag: SOME_TAG });
      });

      it('and takes that back is applied', async () => {
        await write(account(1), put({ owner: 'ann' }));
        let waiting: Promise<RowWriteResult> | undefined;
        await store.database.sql
          .transaction(async (session) => {
            const sql = `update accounts set note = 'theirs' where id = 1`;
            await session.run({ pg: sql, mysql2: sql });
            waiting = write(account(1), change, { ifMatch: 1 });
            await blocked(1);
            throw new Error('taken back');
          })
          .catch(() => undefined);
        expect(applied(await unwrap(waiting)).version).toBe(2);
      });
    },
  );

  it('of many who name one tag one wins', async () => {
    await write(account(1), put({ owner: 'ann' }));
    await theirs([`update accounts set note = 'theirs' where id = 1`]);
    const named = nameOf(await read(account(1)));
    const results = await Promise.all(
      Array.from({ length: 12 }, () => write(account(1), patch({ note: 'x' }), named)),
    );
    expect(results.filter(({ status }) => status === 'applied')).toHaveLength(1);
    expect(results.filter((result) => refusalReason(result) === 'version-mismatch')).toHaveLength(
      11,
    );
  });

  describe('rows that Lockstep has never written', () => {
    let bed: Awaited<ReturnType<typeof openTestDatabase>>;
    let resource: Resource;
    const key = (id: number): Key => makeKey(resource, [String(id)]);
    const writeTo = (id: number, change: Change, rest: Partial<RowWrite>) =>
      bed.rows.write({ key: key(id), change, outbox: false, ...rest });
    const bind = async (name = 'rate'): Promise<Resource> => {
      const rate = config({ name, table: `${name}s`, cacheKey: `${name}:{id}` });
      const { resources } = await bindResources([rate], bed.catalog);
      return unwrap((await knowTables(bed.sql, resources))[0]);
    };

    /** Rows count as never changed where every transaction that ran beside their insert, in any database, has ended. */
    const olderTransactionsAreOver = async (): Promise<void> => {
      const now = { pg: 'select pg_current_xact_id()::text as id', mysql2: '' };
      const last = unwrap((await bed.sql.run(now)).rows[0]).id;
      const oldest = `select 1 where pg_snapshot_xmin(pg_current_snapshot()) > '${last}'::xid8`;
      const isOver = async () => (await bed.sql.run({ pg: oldest, mysql2: '' })).rows.length;
      await expect.poll(isOver).toBe(1);
    };

    beforeAll(async () => {
      bed = await openTestDatabase(client);
      await bed.execute('create table rates (id integer primary key, v integer)');
      await bed.execute('insert into rates values (1, 1), (2, 2), (3, 3), (4, 4)');
      resource = await bind();
    });
    afterAll(() => bed?.drop());

    it.runIf(client === 'pg')(
      'have 0 until somebody changes them, also after a new start',
      async () => {
        await bed.execute('create table found_rates (id integer primary key, v integer)');
        await bed.execute('insert into found_rates values (1, 1), (2, 2)');
        await olderTransactionsAreOver();
        let found = await bind('found_rate');
        expect(await bed.rows.read(makeKey(found, ['1']))).toEqual({
          version: 0,
          fence: 0,
          row: { id: 1, v: 1 },
        });
        await bed.execute('update found_rates set v = 100 where id = 1');
        found = await bind('found_rate');
        const changed = await bed.rows.read(makeKey(found, ['1']));
        expect(changed).toMatchObject({ version: 0, row: { v: 100 }, tag: SOME_TAG });
        const second = makeKey(found, ['2']);
        expect(await bed.rows.read(second)).not.toHaveProperty('tag');
        const change = patch({ v: 20 });
        expect(
          await bed.rows.write({ key: second, change, outbox: false, ifMatch: 0 }),
        ).toMatchObject({ version: 1 });
      },
    );

    it.runIf(client === 'mysql2')('have a tag from the first', async () => {
      const seen = await bed.rows.read(key(1));
      expect(seen).toMatchObject({ version: 0, tag: SOME_TAG });
      expect(refusalReason(await writeTo(1, patch({ v: 7 }), { ifMatch: 0 }))).toBe(
        'version-mismatch',
      );
      await bed.execute('update rates set v = 100 where id = 1');
      expect((await bed.rows.read(key(1))).tag).not.toBe(seen.tag);
    });

    it.each([
      ['patch', 3],
      ['put', 4],
    ] as const)('are changed by a %s only on the tag that they have', async (op, id) => {
      const change = op === 'put' ? put({ v: 9 }) : patch({ v: 9 });
      await bed.execute(`update rates set v = ${id}00 where id = ${id}`);
      const seen = await bed.rows.read(key(id));
      expect(await writeTo(id, change, { ifMatch: 0 })).toEqual({
        status: 'refused',
        refusal: { reason: 'version-mismatch', currentVersion: 0, currentTag: seen.tag },
      });
      // A fence alone makes the key known, and gives the row no version.
      await bed.rows.raiseFence(key(id), 5);
      expect(await bed.rows.read(key(id))).toMatchObject({ version: 0, tag: seen.tag });
      expect(await writeTo(id, change, nameOf(seen))).toMatchObject({ version: 1 });
      expect(await bed.rows.read(key(id))).not.toHaveProperty('tag');
    });

    it.runIf(client === 'pg')(
      'are none that Lockstep found where a dump brought the numbers',
      async () => {
        await bed.execute('update lockstep_tables set name = name');
        const restored = await bind();
        expect(restored.pristineBelow).toBeUndefined();
        await bed.execute('insert into rates values (6, 6)');
        const row = await bed.rows.read(makeKey(restored, ['6']));
        expect(row).toMatchObject({ version: 0, tag: SOME_TAG });
      },
    );
  });
});
