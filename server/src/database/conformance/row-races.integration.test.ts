import { describe, expect, it } from 'vitest';
import type { Row } from '@lockstep/shared';
import { makeKey } from '../../domain/index.ts';
import { installedClients, mysqlNumbers } from '@lockstep/testkit/servers';
import { bindResources } from '../configuration/bind-resources.ts';
import type { RowWriteResult } from '../port.ts';
import {
  put,
  patch,
  remove,
  texts,
  applied,
  refusalReason,
  unwrap,
  useRowStore,
} from '../testing/row-store.ts';
import { config } from '@lockstep/testkit/database/tables';

/** What makes a table too large to be sampled whole. */
const LARGE = {
  pg: {
    numbers: 'generate_series(1, 25000) as n',
    filler: `repeat('x', 250)`,
    uuid: 'gen_random_uuid()',
    analyze: 'analyze ',
  },
  mysql2: {
    numbers: mysqlNumbers(25_000),
    filler: `''`,
    uuid: 'uuid()',
    analyze: 'analyze table ',
  },
};

/** What every row store must do, against a real server: races, keys and samples. */
describe.each(installedClients())('row store on %s: races, keys and samples', (client) => {
  const store = useRowStore(client);
  const { account, owned, write, read, blocked } = store;

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
      expect(results.filter((result) => refusalReason(result) === 'version-mismatch')).toHaveLength(
        11,
      );
    });

    it('waits for a writer who changes the row behind its back, and builds on it', async () => {
      await write(owned(1), put({ owner: 'ann', balance: 1 }));
      let change: Promise<RowWriteResult> | undefined;
      await store.database.sql.transaction(async (session) => {
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
      const other = store.database.sql.transaction(async (session) => {
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
        makeKey(store.resources.note, [shelf, '1']),
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
        await store.database.execute(`create table if not exists people (
          name varchar(50) primary key, age int) collate utf8mb4_general_ci`);
        const people = config({
          name: 'person',
          table: 'people',
          key: ['name'],
          cacheKey: 'person:{name}',
        });
        const [person] = (await bindResources([people], store.database.catalog)).resources;
        if (person === undefined) throw new Error('not bound');
        const [ann, other, padded] = ['Ann', 'ann', 'Ann '].map((name) => makeKey(person, [name]));
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
        const rows = await store.database.rows.readMany(person, [other, ann, padded]);
        expect(rows.map(({ version, row }) => [version, row?.age])).toEqual([
          [0, undefined],
          [1, 1],
          [0, undefined],
        ]);
      },
    );

    it.runIf(client === 'pg')('takes a key of 2,048 bytes', async () => {
      const key = makeKey(store.resources.note, ['é'.repeat(1023), '1']);
      expect(await write(key, put({ body: 'x' }))).toMatchObject({ status: 'applied' });
      expect(await read(key)).toMatchObject({ version: 1, row: { body: 'x' } });
    });
  });

  describe('samples', () => {
    it('answers random keys, and no more than there are', async () => {
      for (let id = 1; id <= 30; id++)
        await store.database.execute(`insert into accounts (id, owner) values (${id}, 'o${id}')`);
      const sample = await store.database.rows.sampleKeys(store.resources.account, 10);
      expect(new Set(sample.map((key) => key.text)).size).toBe(10);
      expect(await store.database.rows.sampleKeys(store.resources.account, 100)).toHaveLength(30);
      const other = await store.database.rows.sampleKeys(store.resources.account, 10);
      expect(texts(other)).not.toEqual(texts(sample));
    });

    it.each(['bigint', client === 'pg' ? 'uuid' : 'varchar(36)', 'varchar(40)'])(
      'picks from all over a large table with a key of type %s',
      async (type) => {
        const name = `large_${type.replace(/\W/g, '')}`;
        const key =
          { bigint: 'n', 'varchar(40)': `concat('item ', n)` }[type] ?? LARGE[client].uuid;
        await store.database.execute(
          `create table ${name} (id ${type} primary key, filler varchar(300))`,
        );
        await store.database.execute(
          `insert into ${name} select ${key}, ${LARGE[client].filler} from ${LARGE[client].numbers}`,
        );
        await store.database.execute(LARGE[client].analyze + name);
        const [resource] = (await bindResources([config({ table: name })], store.database.catalog))
          .resources;
        if (resource === undefined) throw new Error('not bound');
        const samples = [];
        for (let round = 0; round < 3; round++)
          samples.push(texts(await store.database.rows.sampleKeys(resource, 100)));
        for (const sample of samples) {
          expect(sample.length).toBeGreaterThan(client === 'pg' ? 99 : 15);
          expect(new Set(sample).size).toBe(sample.length);
        }
        expect(new Set(samples.flat()).size).toBeGreaterThan((samples[0]?.length ?? 0) * 1.5);
      },
    );

    it('answers the keys written last, newest first', async () => {
      for (const id of [1, 2, 3, 1]) await write(account(id), put({ owner: `o${id}` }));
      await write(makeKey(store.resources.note, ['s', '1']), put({ body: 'x' }));
      expect(texts(await store.database.rows.recentKeys(store.resources.account, 2))).toEqual([
        '1',
        '3',
      ]);
    });
  });
});
