import { beforeEach, describe, expect, test } from 'vitest';
import { untilAllIsWell } from '../support/all-well.ts';
import { eventually } from '@lockstep/testkit/poll';
import { expectProblem } from '../support/problem.ts';
import { useInstance } from '../support/shared-instance.ts';
import { embeddedShop, newId, SHOP_SQL } from '../support/shop.ts';

const page = { key: ['id'], policy: 'delayed-double-delete', ttl: '10m' };
/** Each has a table of its own: resources over one table share the longest delay. */
const RESOURCES = {
  page: {
    ...page,
    table: 'profiles',
    cacheKey: 'page:{id}',
    format: 'raw',
    secondDeleteAfter: '4s',
  },
  // Longer than an embedded cache takes to come back.
  late: {
    ...page,
    table: 'late_profiles',
    cacheKey: 'late:{id}',
    format: 'raw',
    secondDeleteAfter: '9s',
  },
  slow: {
    ...page,
    table: 'slow_profiles',
    cacheKey: 'slow:{id}',
    format: 'raw',
    secondDeleteAfter: '1h',
  },
  soon: { ...page, table: 'soon_profiles', cacheKey: 'soon:{id}' },
};
const TABLES_SQL = ['late', 'slow', 'soon']
  .map((name) => `create table ${name}_profiles (like profiles including all);`)
  .join('\n');

const bed = useInstance(() => ({
  config: embeddedShop({ resources: RESOURCES }),
  files: { 'shop.sql': `${SHOP_SQL.pg}\n${TABLES_SQL}` },
}));

beforeEach(() => untilAllIsWell(bed));

const RECOVERY = { withinMs: 90_000, everyMs: 50 };
const cached = (key: string): Promise<string | null> => bed.behind.cache.get(key);
const waitingRows = (resource: string) =>
  bed.behind.sql('SELECT id FROM lockstep_outbox WHERE resource = ?', [resource]);

/** A reader that knows nothing of Lockstep: it read the old row before the write, and fills it after the delete. */
async function fillLate(key: string, id: number): Promise<void> {
  await bed.behind.cache.set(key, JSON.stringify({ id, name: 'old' }), 'PX', 600_000);
}

async function writeWithLateReader(): Promise<number> {
  const id = newId();
  await bed.api.put('page', id, { name: 'old' });
  await bed.api.get('page', id);
  await eventually(async () =>
    expect(JSON.parse((await cached(`page:${id}`)) ?? 'null')).toMatchObject({ name: 'old' }),
  );
  const written = await bed.api.patch('page', id, { name: 'new' });
  expect(written.body).toMatchObject({ version: 2, cache: 'invalidated' });
  expect(await cached(`page:${id}`)).toBeNull();
  await fillLate(`page:${id}`, id);
  expect((await bed.api.get('page', id)).body.value).toMatchObject({ name: 'old' });
  return id;
}

async function expectHealed(id: number): Promise<void> {
  await eventually(async () => expect(await cached(`page:${id}`)).toBeNull(), RECOVERY);
  expect((await bed.api.get('page', id)).body).toMatchObject({
    source: 'primary',
    version: 2,
    value: { name: 'new' },
  });
  await eventually(async () => expect(await waitingRows('page')).toEqual([]), RECOVERY);
}

describe('delayed-double-delete (P1)', () => {
  test('removes what a slow reader filled after the first delete', async () => {
    await expectHealed(await writeWithLateReader());
  });

  test('does so if the coordinator is killed between the two deletes', async () => {
    const id = await writeWithLateReader();
    await bed.instance.kill();
    expect(await waitingRows('page')).not.toEqual([]);
    await bed.instance.start();
    await bed.reconnect();
    await expectHealed(id);
  });

  test('does so if the cache dies while the second delete is due', async () => {
    const id = await writeWithLateReader();
    await bed.instance.killServer('cache');
    await untilAllIsWell(bed);
    await expectHealed(id);
  });

  test('keeps the second delete when the cache was down for the first', async () => {
    const id = newId();
    await bed.api.put('late', id, { name: 'old' });
    await bed.instance.killServer('cache');
    const written = await bed.api.patch('late', id, { name: 'new' });
    expect(written.body).toMatchObject({ outcome: 'applied', version: 2 });
    await untilAllIsWell(bed);
    await fillLate(`late:${id}`, id);
    await eventually(async () => expect(await cached(`late:${id}`)).toBeNull(), RECOVERY);
    expect((await bed.api.get('late', id)).body.value).toMatchObject({ name: 'new' });
  });

  test('still happens after the database was away', async () => {
    const id = await writeWithLateReader();
    await bed.instance.killServer('database');
    await untilAllIsWell(bed);
    await expectHealed(id);
  });

  test('with entries that have a header and a derived delay, leaves only a tombstone for about a second', async () => {
    const id = newId();
    await bed.api.put('soon', id, { name: 'old' });
    expect((await bed.api.get('soon', id)).body).toMatchObject({ version: 1, source: 'primary' });
    expect((await bed.api.get('soon', id)).body).toMatchObject({ version: 1, source: 'cache' });
    const [row] = await bed.behind.sql(
      `SELECT extract(epoch FROM due_at - created_at) AS seconds FROM lockstep_outbox
       WHERE resource = 'soon' AND due_at IS NOT NULL ORDER BY id DESC LIMIT 1`,
    );
    expect(Number(row?.seconds)).toBeGreaterThan(0.9);
    expect(Number(row?.seconds)).toBeLessThan(5);
    await eventually(async () => expect(await waitingRows('soon')).toEqual([]), RECOVERY);
    // Its entry is of that version: the second delete leaves it.
    expect((await bed.api.get('soon', id)).body).toMatchObject({ version: 1, source: 'cache' });
  });
});

describe('format raw over HTTP (P3)', () => {
  test('a hit has no version and no ETag; minVersion and conditions are checked in the database', async () => {
    const id = newId();
    expect((await bed.api.put('slow', id, { name: 'a' })).headers.etag).toBe('"1"');
    const miss = await bed.api.get('slow', id);
    expect(miss.body).toMatchObject({ version: 1, source: 'primary' });
    expect(miss.headers.etag).toBe('"1"');
    const hit = await bed.api.get('slow', id, '', { headers: { 'if-none-match': '"0"' } });
    expect(hit.status).toBe(200);
    expect(hit.body).toMatchObject({ version: null, source: 'cache', value: { name: 'a' } });
    expect(hit.headers.etag).toBeUndefined();
    expect((await bed.api.get('slow', id, '?minVersion=1')).body).toMatchObject({
      version: 1,
      source: 'primary',
    });
    expectProblem(await bed.api.get('slow', id, '?minVersion=2'), 'VERSION_MISMATCH');
    expect((await bed.api.patch('slow', id, { name: 'b' }, { 'If-Match': '"1"' })).status).toBe(
      200,
    );
    expectProblem(
      await bed.api.patch('slow', id, { name: 'c' }, { 'If-Match': '"1"' }),
      'VERSION_MISMATCH',
    );
  });

  test('a row that is not there is not cached', async () => {
    const id = newId();
    expectProblem(await bed.api.get('slow', id), 'NOT_FOUND');
    expect(await cached(`slow:${id}`)).toBeNull();
  });

  test('an audit finds what another program left wrong, and repairs it', async () => {
    const ids = [newId(), newId(), newId()];
    for (const id of ids) await bed.api.put('slow', id, { name: 'true' });
    const [stale, orphan, corrupt] = ids.map((id) => `slow:${id}`) as [string, string, string];
    await bed.behind.cache.set(stale, JSON.stringify({ id: ids[0], name: 'wrong' }), 'EX', 600);
    await bed.behind.cache.set(orphan, JSON.stringify({ id: ids[1], name: 'gone' }), 'EX', 600);
    await bed.behind.sql('DELETE FROM slow_profiles WHERE id = ?', [ids[1]]);
    await bed.behind.cache.set(corrupt, 'no json', 'EX', 600);
    const body = { resource: 'slow', sample: 2_000, repair: true };
    const report = JSON.parse((await bed.admin.post('/v1/ops/audits', body)).text) as object;
    expect(report).toMatchObject({
      drift: { stale: 1, orphan: 1, corrupt: 1 },
      repaired: 3,
      failed: 0,
    });
    expect(JSON.parse((await cached(stale)) ?? '')).toMatchObject({ name: 'true' });
    expect(await cached(orphan)).toBeNull();
    const [finding] = (
      JSON.parse(
        (await bed.admin.call('GET', '/v1/ops/findings?resource=slow&class=stale')).text,
      ) as {
        findings: { cache: object }[];
      }
    ).findings;
    expect(finding?.cache).toMatchObject({ version: null, row: { name: 'wrong' } });
  });
});
