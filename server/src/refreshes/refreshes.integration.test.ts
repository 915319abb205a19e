import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { Redis } from 'ioredis';
import { decodeEntry } from '@lockstep/shared';
import { CacheConnection } from '../cache/index.ts';
import { bindResources, type Database } from '../database/index.ts';
import { openDatabase } from '../dialects/index.ts';
import { makeKey, type Resource } from '../domain/index.ts';
import { systemRuntime } from '../runtime/index.ts';
import {
  freshDatabase,
  installedClients,
  startRedis,
  type TestRedis,
} from '@lockstep/testkit/servers';
import { RedisGenerations } from './index.ts';

const quiet = { debug: () => {}, info: () => {}, warn: () => {}, error: () => {} };
const runtime = systemRuntime(quiet);
const LIFE_MS = 60_000;

let server: TestRedis;
let connection: CacheConnection;
let behind: Redis;
let generations: RedisGenerations;

beforeAll(async () => {
  server = await startRedis();
  behind = new Redis(server.url);
  connection = new CacheConnection({ url: server.url, commandTimeoutMs: 5_000, runtime });
  await connection.ready(10_000);
  generations = new RedisGenerations(connection);
});

beforeEach(() => behind.flushall());

afterAll(async () => {
  connection.close();
  behind.disconnect();
  await server.stop();
});

for (const client of installedClients()) {
  describe(`refreshes with ${client}`, () => {
    let database: Database;
    let drop: () => Promise<void>;
    let resource: Resource;
    const execute = (text: string) => database.sql.run({ pg: text, mysql2: text });
    const entry = async (id: number) => {
      const text = await behind.get(`setting:${id}`);
      return text === null ? null : decodeEntry(text);
    };
    const next = async () => {
      const rows = await database.tables.readAll(resource, 10_000);
      return rows.map(({ key, version, row }) => ({ cacheKey: key.cacheKey, version, row }));
    };
    const refresh = async () => {
      const begun = await generations.begin(resource);
      return generations.swap(resource, { begun, entries: await next(), lifeMs: LIFE_MS });
    };

    beforeAll(async () => {
      const fresh = await freshDatabase(client);
      database = openDatabase({
        client,
        connection: fresh.url,
        pool: { min: 0, max: 4 },
        statementTimeoutMs: 3_000,
        acquireTimeoutMs: 2_000,
        runtime,
      });
      drop = () => fresh.drop();
      await database.migrations.up();
      await execute('create table settings (id integer primary key, name varchar(40))');
      const bound = await bindResources(
        [
          {
            name: 'setting',
            table: 'settings',
            key: ['id'],
            cacheKey: 'setting:{id}',
            policy: 'refresh',
            ttlMs: LIFE_MS,
            ttlJitter: 0,
            negativeTtlMs: 1_000,
            onWrite: 'set',
            invalidates: [],
            audit: null,
          },
        ],
        database.catalog,
      );
      const [found] = bound.resources;
      if (found === undefined) throw new Error(JSON.stringify(bound.faults));
      resource = found;
    });
    beforeEach(() => execute('delete from settings'));
    afterAll(async () => {
      await database.close();
      await drop();
    });

    it('reads a table whole with its versions, and refuses one that is too large (P4)', async () => {
      await execute("insert into settings (id, name) values (1, 'a'), (2, 'b')");
      const change = { op: 'put', set: { name: 'c' }, onlyCreate: false } as const;
      await database.rows.write({ key: makeKey(resource, ['2']), change, outbox: false });
      const rows = await database.tables.readAll(resource, 2);
      expect(rows.map(({ key, version, row }) => [key.text, version, row.name]).sort()).toEqual([
        ['1', 0, 'a'],
        ['2', expect.any(Number), 'c'],
      ]);
      await execute("insert into settings (id, name) values (3, 'd')");
      await expect(database.tables.readAll(resource, 2)).rejects.toMatchObject({
        code: 'TOO_LARGE',
      });
    });

    it('swaps a generation whole, with a life, and removes the entries of rows that went (P4, P5)', async () => {
      await execute("insert into settings (id, name) values (1, 'a'), (2, 'b')");
      expect(await generations.isThere(resource)).toBe(false);
      expect(await refresh()).toBe(0);
      expect(await entry(1)).toMatchObject({ state: 'value', row: { id: 1, name: 'a' } });
      expect(await behind.pttl('setting:1')).toBeGreaterThan(LIFE_MS - 5_000);
      await execute('delete from settings where id = 2');
      await execute("insert into settings (id, name) values (3, 'c')");
      expect(await refresh()).toBe(1);
      expect(await entry(2)).toBeNull();
      expect(await entry(3)).toMatchObject({ row: { name: 'c' } });
      expect(await generations.isThere(resource)).toBe(true);
    });

    it('changes nothing where another refresh came in between (P4)', async () => {
      await execute("insert into settings (id, name) values (1, 'old')");
      const begun = await generations.begin(resource);
      const entries = await next();
      await execute("update settings set name = 'new'");
      await refresh();
      const late = await generations.swap(resource, { begun, entries, lifeMs: LIFE_MS });
      expect(late).toBeNull();
      expect(await entry(1)).toMatchObject({ row: { name: 'new' } });
    });

    it('leaves what was invalidated while it read, and a write intent (P6)', async () => {
      await execute("insert into settings (id, name) values (1, 'a'), (2, 'b'), (3, 'c')");
      const past = '{"s":"tombstone","v":1,"f":0,"t":5}\nnull';
      await behind.set('setting:3', past);
      const begun = await generations.begin(resource);
      const tombstone = `{"s":"tombstone","v":9,"f":0,"t":${begun.sinceMs}}\nnull`;
      const intent = '{"s":"intent","v":0,"f":7,"t":5,"i":"x"}\nnull';
      await behind.mset('setting:1', tombstone, 'setting:2', intent);
      await generations.swap(resource, { begun, entries: await next(), lifeMs: LIFE_MS });
      expect(await behind.get('setting:1')).toBe(tombstone);
      expect(await behind.get('setting:2')).toBe(intent);
      expect(await entry(3)).toMatchObject({ state: 'value', row: { name: 'c' } });
    });

    it('keeps plain JSON where the format is raw (P4)', async () => {
      await execute("insert into settings (id, name) values (1, 'a')");
      const raw: Resource = { ...resource, format: 'raw' };
      const begun = await generations.begin(raw);
      await generations.swap(raw, { begun, entries: await next(), lifeMs: LIFE_MS });
      expect(JSON.parse((await behind.get('setting:1')) ?? '')).toEqual({ id: 1, name: 'a' });
    });

    it('shows no reader a mixture of two generations of ten thousand rows (P4)', async () => {
      const entriesOf = (mark: string) =>
        Array.from({ length: 10_000 }, (_, id) => ({
          cacheKey: `setting:${id}`,
          version: 1,
          row: { id, name: mark },
        }));
      const swap = async (mark: string) => {
        const begun = await generations.begin(resource);
        await generations.swap(resource, { begun, entries: entriesOf(mark), lifeMs: LIFE_MS });
      };
      await swap('0');
      let isSwapping = true;
      const seen = new Set<string>();
      const reading = (async () => {
        while (isSwapping) {
          const texts = await behind.mget('setting:0', 'setting:5000', 'setting:9999');
          const marks = texts.map((text) => {
            const found = decodeEntry(text ?? '');
            return found.state === 'value' ? found.row?.name : found.state;
          });
          seen.add([...new Set(marks)].join());
        }
      })();
      for (const mark of ['1', '2', '3']) await swap(mark);
      isSwapping = false;
      await reading;
      expect([...seen].filter((marks) => !/^[0-3]$/.test(marks))).toEqual([]);
      expect(seen.size).toBeGreaterThan(0);
    });
  });
}
