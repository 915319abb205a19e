import { Redis } from 'ioredis';
import pg from 'pg';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { decodeEntry, DRIFT_KINDS, encodeEntry, type Row } from '@lockstep/shared';
import { loadConfig } from '../config/index.ts';
import { bindResources } from '../database/index.ts';
import { openDatabase } from '../dialects/index.ts';
import { keyFromRow, keyFromText, LockstepError, makeKey, type Resource } from '../domain/index.ts';
import { systemRuntime } from '../runtime/index.ts';
import {
  freshDatabase,
  startRedis,
  type FreshDatabase,
  type TestRedis,
} from '@lockstep/testkit/servers';
import { createDriftMaker, demoConfig, demoInitSql } from './index.ts';

const quiet = { debug: () => {}, info: () => {}, warn: () => {}, error: () => {} };
const runtime = systemRuntime(quiet);

let database: FreshDatabase;
let redis: TestRedis;
let sql: pg.Client;
let cache: Redis;
let maker: ReturnType<typeof createDriftMaker>;
let resources: Map<string, Resource>;

beforeAll(async () => {
  [database, redis] = await Promise.all([freshDatabase('pg'), startRedis()]);
  sql = new pg.Client({ connectionString: database.url });
  await sql.connect();
  await sql.query(demoInitSql());
  cache = new Redis(redis.url);
  resources = await bindDemo(database.url);
  maker = createDriftMaker({ databaseUrl: database.url, cacheUrl: redis.url, runtime });
});

afterAll(async () => {
  await maker.close();
  cache.disconnect();
  await sql.end();
  await Promise.all([database.drop(), redis.stop()]);
});

async function bindDemo(url: string): Promise<Map<string, Resource>> {
  const { config } = await loadConfig({ raw: demoConfig(), env: {}, cwd: '/' });
  const opened = openDatabase({
    client: 'pg',
    connection: url,
    pool: { min: 0, max: 1 },
    statementTimeoutMs: 5_000,
    acquireTimeoutMs: 5_000,
    runtime,
  });
  const bound = await bindResources(Object.values(config.resources), opened.catalog);
  await opened.close();
  expect(bound.faults).toEqual([]);
  return new Map(bound.resources.map((resource) => [resource.name, resource]));
}

function named(name: string): Resource {
  const resource = resources.get(name);
  if (resource === undefined) throw new Error(`there is no resource ${name}`);
  return resource;
}

/** Caches the first `count` rows of the busiest routes, as Lockstep would. */
async function cacheRoutes(count: number): Promise<void> {
  const { rows } = await sql.query<Row>(
    'select * from routes order by flights_2008 desc limit $1',
    [count],
  );
  for (const row of rows) {
    const key = keyFromRow(named('route'), row);
    if (key === null) throw new Error('a route without its key');
    const entry = { state: 'value', version: 0, fence: 0, writtenAtMs: 1, row } as const;
    await cache.set(key.cacheKey, encodeEntry(entry), 'PX', 120_000);
  }
}

async function rowOf(text: string): Promise<Row | undefined> {
  const [origin, destination] = keyFromText(named('route'), text).parts;
  const { rows } = await sql.query<Row>(
    'select * from routes where origin = $1 and destination = $2',
    [origin, destination],
  );
  return rows[0];
}

describe('the demo data', () => {
  it('is all there, bound to its resources, and does no harm when it is run again', async () => {
    await sql.query(
      "update routes set seats_left = 1 where origin = 'SFO' and destination = 'LAX'",
    );
    await sql.query(demoInitSql());
    const { rows } = await sql.query<Record<string, string>>(
      `select (select count(*) from airports) as airports, (select count(*) from routes) as routes,
              (select seats_left from routes where origin = 'SFO' and destination = 'LAX') as seats`,
    );
    expect(rows[0]).toMatchObject({ airports: '3376', routes: '5366', seats: 1 });
    expect([...resources.keys()]).toEqual(['route', 'airport', 'delays', 'booking']);
  });

  it('leaves nothing where its transaction does not end', async () => {
    const other = await freshDatabase('pg');
    const client = new pg.Client({ connectionString: other.url });
    await client.connect();
    await client.query('begin');
    await client.query(demoInitSql());
    await client.query('rollback');
    const { rows } = await client.query("select to_regclass('airports') as there");
    expect(rows[0]).toEqual({ there: null });
    await client.end();
    await other.drop();
  });

  it('keeps names with quotes as they are', async () => {
    const { rows } = await sql.query("select name from airports where iata = 'DBN'");
    expect(rows[0]).toEqual({ name: 'W. H. "Bud" Barron' });
  });
});

describe('making drift', () => {
  beforeEach(async () => {
    await cache.flushall();
    await cacheRoutes(40);
  });

  it('changes the row and leaves the entry', async () => {
    const { made } = await maker.makeDrift(named('route'), 3, 'database');
    expect(made).toHaveLength(3);
    for (const { key: text } of made) {
      const key = keyFromText(named('route'), text);
      const entry = decodeEntry((await cache.get(key.cacheKey)) ?? '');
      expect(entry).toMatchObject({ state: 'value' });
      expect(entry.state === 'value' && entry.row).not.toEqual(await rowOf(text));
    }
  });

  it('changes the entry and leaves the row, and its expiry', async () => {
    const { made } = await maker.makeDrift(named('route'), 2, 'cache');
    for (const { key: text } of made) {
      const { cacheKey } = keyFromText(named('route'), text);
      const entry = decodeEntry((await cache.get(cacheKey)) ?? '');
      const row = await rowOf(text);
      expect(entry.state === 'value' && entry.row?.flights_2008).toBe(
        Number(row?.flights_2008) + 1,
      );
      expect(await cache.pttl(cacheKey)).toBeGreaterThan(60_000);
    }
  });

  it('caches rows that are not there', async () => {
    const { made } = await maker.makeDrift(named('route'), 2, 'orphan');
    expect(made).toHaveLength(2);
    for (const { key: text } of made) {
      const key = keyFromText(named('route'), text);
      const entry = decodeEntry((await cache.get(key.cacheKey)) ?? '');
      expect(entry).toMatchObject({
        state: 'value',
        row: { origin: key.parts[0], destination: key.parts[1] },
      });
      expect(await rowOf(text)).toBeUndefined();
    }
  });

  it('caches rows that are there as absent, spoils entries, and takes their expiry', async () => {
    const text = async (kind: (typeof DRIFT_KINDS)[number]) => {
      const { made } = await maker.makeDrift(named('route'), 1, kind);
      return keyFromText(named('route'), made[0]?.key ?? '').cacheKey;
    };
    const negative = decodeEntry((await cache.get(await text('negative'))) ?? '');
    expect(negative).toMatchObject({ state: 'value', row: null });
    expect(decodeEntry((await cache.get(await text('corrupt'))) ?? '').state).toBe('corrupt');
    expect(await cache.pttl(await text('no-ttl'))).toBe(-1);
  });

  it('takes all kinds in turn, each on another key', async () => {
    const { made } = await maker.makeDrift(named('route'), 12);
    expect(made.map(({ kind }) => kind)).toEqual([...DRIFT_KINDS, ...DRIFT_KINDS]);
    expect(new Set(made.map(({ key }) => key)).size).toBe(12);
  });

  it('never touches a write intent', async () => {
    const key = makeKey(named('route'), ['SFO', 'LAX']);
    const intent = encodeEntry({
      state: 'intent',
      version: 0,
      fence: 9,
      writtenAtMs: 1,
      intentId: 'a',
      marked: false,
    });
    await cache.set(key.cacheKey, intent);
    const { made } = await maker.makeDrift(named('route'), 100);
    expect(made).toHaveLength(39);
    expect(await cache.get(key.cacheKey)).toBe(intent);
  });

  it('takes a row out of an answer of a query, and changes nothing that it reads', async () => {
    const resource = named('delays');
    const cacheAnswer = async (state: string, rows: Row[]): Promise<string> => {
      const { cacheKey } = makeKey(resource, [state]);
      const entry = { state: 'value', version: 0, fence: 0, writtenAtMs: 1 } as const;
      await cache.set(cacheKey, encodeEntry({ ...entry, row: { rows } }), 'PX', 120_000);
      return cacheKey;
    };
    const full = await cacheAnswer('CA', [{ iata: 'SFO' }, { iata: 'LAX' }]);
    await cacheAnswer('NV', []);
    const { made } = await maker.makeDrift(resource, 2, 'cache');
    expect(made).toEqual([{ key: 'CA', kind: 'cache' }]);
    expect(decodeEntry((await cache.get(full)) ?? '')).toMatchObject({
      row: { rows: [{ iata: 'LAX' }] },
    });
    await expect(maker.makeDrift(resource, 1, 'database')).rejects.toMatchObject({
      code: 'INVALID',
    });
  });

  it('makes less where less is cached, and nothing where nothing is', async () => {
    expect((await maker.makeDrift(named('airport'), 5)).made).toEqual([]);
  });

  it.each([
    ['booking', 1, /never cached/],
    ['route', 0, /1 to 100/],
    ['route', 101, /1 to 100/],
    ['route', 1.5, /1 to 100/],
  ])('refuses %s with count %d', async (name, count, words) => {
    const refused = maker.makeDrift(named(name), count);
    await expect(refused).rejects.toThrow(words);
    await expect(refused).rejects.toMatchObject({ code: 'INVALID' });
  });

  it('says which server is away', async () => {
    const lost = createDriftMaker({
      databaseUrl: 'postgres://127.0.0.1:1/none',
      cacheUrl: redis.url,
      runtime,
    });
    const refused = lost.makeDrift(named('route'), 1, 'database');
    await expect(refused).rejects.toBeInstanceOf(LockstepError);
    await expect(refused).rejects.toMatchObject({ code: 'DATABASE_UNAVAILABLE' });
    await lost.close();
    const lostCache = createDriftMaker({
      databaseUrl: database.url,
      cacheUrl: 'redis://127.0.0.1:1',
      runtime,
    });
    await expect(lostCache.makeDrift(named('route'), 1)).rejects.toMatchObject({
      code: 'CACHE_UNAVAILABLE',
    });
    await lostCache.close();
  });
});
