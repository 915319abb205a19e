import { beforeEach, describe, expect, test } from 'vitest';
import type { RefreshReport, RefreshStatus } from '@lockstep/shared';
import { untilAllIsWell } from '../support/all-well.ts';
import { eventually } from '@lockstep/testkit/poll';
import { expectProblem } from '../support/problem.ts';
import { useInstance } from '../support/shared-instance.ts';
import { embeddedShop, SHOP_SQL } from '../support/shop.ts';

const RESOURCES = {
  often: {
    table: 'notes',
    key: ['id'],
    cacheKey: 'often:{id}',
    policy: 'refresh',
    refresh: { every: '2s', maxRows: 3_000 },
  },
  seldom: {
    table: 'memos',
    key: ['id'],
    cacheKey: 'seldom:{id}',
    policy: 'refresh',
    refresh: { schedule: '0 0 1 1 *', maxRows: 3_000 },
  },
  order: { table: 'orders', key: ['id'], policy: 'none' },
};

const bed = useInstance(() => ({
  config: embeddedShop({ resources: RESOURCES }),
  files: { 'shop.sql': SHOP_SQL.pg },
}));

const RECOVERY = { withinMs: 90_000, everyMs: 50 };
const ROWS = 1_000;

const fill = async (table: string, mark: string): Promise<void> => {
  await bed.behind.sql(`DELETE FROM ${table}`);
  await bed.behind.sql(
    `INSERT INTO ${table} (id, text) SELECT n, '${mark}' FROM generate_series(1, ${ROWS}) AS n`,
  );
};
const refreshNow = async (resource = 'seldom'): Promise<RefreshReport> => {
  const answer = await bed.admin.post('/v1/ops/refreshes', { resource });
  expect(answer.status, answer.text).toBe(200);
  return JSON.parse(answer.text) as RefreshReport;
};
const statusOf = async (resource: string): Promise<RefreshStatus | undefined> => {
  const answer = await bed.admin.call('GET', '/v1/ops/refreshes');
  const { refreshes } = JSON.parse(answer.text) as { refreshes: RefreshStatus[] };
  return refreshes.find((status) => status.resource === resource);
};
/** The marks that readers of the whole table find in the cache now. */
const marks = async (resource: string): Promise<Set<string>> => {
  const keys = Array.from({ length: ROWS }, (_, index) => `${resource}:${index + 1}`);
  const texts = await bed.behind.cache.mget(keys);
  return new Set(texts.map((text) => /"text":"(\w+)"/.exec(text ?? '')?.[1] ?? text ?? 'nothing'));
};

beforeEach(() => untilAllIsWell(bed));

describe('refresh', () => {
  test('fills the cache at the start, and rewrites it on its schedule (P4)', async () => {
    await fill('notes', 'one');
    await eventually(async () => expect(await marks('often')).toEqual(new Set(['one'])), RECOVERY);
    expect((await bed.api.get('often', 1)).body).toMatchObject({
      source: 'cache',
      value: { text: 'one' },
    });
    await fill('notes', 'two');
    await eventually(async () => expect(await marks('often')).toEqual(new Set(['two'])), RECOVERY);
  });

  test('serves the last refresh until the next run, and answers of writes say so (P4)', async () => {
    await fill('memos', 'a');
    expect(await refreshNow()).toMatchObject({ resource: 'seldom', rows: ROWS });
    const written = await bed.api.patch('seldom', 1, { text: 'b' });
    expect(written.body).toMatchObject({ outcome: 'applied', cache: 'pending', policy: 'refresh' });
    expect((await bed.api.get('seldom', 1)).body).toMatchObject({
      source: 'cache',
      value: { text: 'a' },
    });
    const version = Number(written.body.version);
    expect((await bed.api.get('seldom', 1, `?minVersion=${version}`)).body).toMatchObject({
      source: 'primary',
      value: { text: 'b' },
    });
    await refreshNow();
    expect((await bed.api.get('seldom', 1)).body).toMatchObject({
      source: 'cache',
      version,
      value: { text: 'b' },
    });
  });

  test('removes entries of deleted rows; new rows are read from the database (P5)', async () => {
    await fill('memos', 'a');
    await refreshNow();
    await bed.behind.sql('DELETE FROM memos WHERE id = 7');
    await bed.api.put('seldom', ROWS + 1, { text: 'new' });
    expect((await bed.api.get('seldom', ROWS + 1)).body.source).toBe('primary');
    expect((await bed.api.get('seldom', ROWS + 1)).body.source).toBe('primary');
    expect(await refreshNow()).toMatchObject({ rows: ROWS, removed: 1 });
    expect(await bed.behind.cache.exists('seldom:7')).toBe(0);
    expectProblem(await bed.api.get('seldom', 7), 'NOT_FOUND');
    expect((await bed.api.get('seldom', ROWS + 1)).body.source).toBe('cache');
  });

  test('fails on a table that is too large, and keeps the entries of the last run (P5)', async () => {
    await fill('memos', 'good');
    await refreshNow();
    await bed.behind.sql(
      "INSERT INTO memos (id, text) SELECT n, 'more' FROM generate_series(10000, 13000) AS n",
    );
    expectProblem(await bed.admin.post('/v1/ops/refreshes', { resource: 'seldom' }), 'TOO_LARGE');
    expect(await marks('seldom')).toEqual(new Set(['good']));
    expect(await statusOf('seldom')).toMatchObject({
      phase: 'failed',
      error: expect.stringContaining('maxRows') as unknown,
      lastGood: { rows: ROWS },
    });
    const metrics = (await bed.anonymous.call('GET', '/metrics')).text;
    expect(metrics).toMatch(/lockstep_refresh_up\{resource="seldom"\} 0/);
    expect(metrics).toMatch(/lockstep_refresh_rows\{resource="seldom"\} 1000/);
    await fill('memos', 'again');
    await refreshNow();
    expect(await statusOf('seldom')).toMatchObject({ phase: 'done', error: null });
  });

  test('runs on demand for a refreshed resource only', async () => {
    expectProblem(await bed.admin.post('/v1/ops/refreshes', { resource: 'order' }), 'INVALID');
    expectProblem(await bed.api.post('/v1/ops/refreshes', { resource: 'seldom' }), 'FORBIDDEN');
  });

  test('fills a cache that died and came back empty, without waiting for the schedule (P5)', async () => {
    await fill('memos', 'kept');
    await refreshNow();
    await bed.instance.killServer('cache');
    expect((await bed.api.get('seldom', 1)).body).toMatchObject({ source: 'primary' });
    await untilAllIsWell(bed);
    await bed.behind.cache.flushall();
    await eventually(
      async () => expect(await marks('seldom')).toEqual(new Set(['kept'])),
      RECOVERY,
    );
  });

  test('leaves one complete generation when killed at any point, and goes on after the start (P5)', async () => {
    await fill('memos', 'm0');
    await refreshNow();
    for (let round = 1; round <= 2; round += 1) {
      await fill('memos', `m${round}`);
      const running = bed.admin.post('/v1/ops/refreshes', { resource: 'seldom' }).catch(() => null);
      await new Promise((resolve) => setTimeout(resolve, Math.random() * 40));
      await bed.instance.kill();
      await running;
      const left = await marks('seldom');
      expect([...left], `round ${round}`).toHaveLength(1);
      expect([`m${round - 1}`, `m${round}`]).toContain([...left][0]);
      await bed.instance.start();
      await bed.reconnect();
      // The dead run's lease has to run out.
      await eventually(() => refreshNow(), RECOVERY);
      expect(await marks('seldom')).toEqual(new Set([`m${round}`]));
    }
  }, 150_000);

  test('goes on when the database died in the middle (P5)', async () => {
    await fill('memos', 'before');
    await refreshNow();
    await fill('memos', 'after');
    const running = bed.admin.post('/v1/ops/refreshes', { resource: 'seldom' });
    await bed.instance.killServer('database');
    await running;
    expect([...(await marks('seldom'))]).toHaveLength(1);
    await untilAllIsWell(bed);
    await eventually(() => refreshNow(), RECOVERY);
    expect(await marks('seldom')).toEqual(new Set(['after']));
  });
});
