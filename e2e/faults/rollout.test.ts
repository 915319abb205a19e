import { writeFileSync } from 'node:fs';
import { beforeEach, describe, expect, test } from 'vitest';
import type { RolloutReport } from '@lockstep/shared';
import { eventually } from '@lockstep/testkit/poll';
import { runCli } from '../support/cli.ts';
import { untilAllIsWell } from '../support/all-well.ts';
import { expectProblem } from '../support/problem.ts';
import { useInstance } from '../support/shared-instance.ts';
import { embeddedShop, newId, SHOP_SQL } from '../support/shop.ts';

const profile = { table: 'profiles', key: ['id'], cacheKey: 'profile:{id}', ttl: '10m' };
const note = { table: 'notes', key: ['id'], cacheKey: 'note:{id}', format: 'opaque' };
const memo = {
  ...{ table: 'memos', key: ['id'], cacheKey: 'memo:{id}', rollout: 'shadow' },
  invalidates: ['memo-page:{id}'],
};
const RESOURCES = { profile: { ...profile, rollout: 'invalidate', format: 'raw' }, note, memo };

const bed = useInstance(() => ({
  config: embeddedShop({ resources: RESOURCES }),
  files: { 'shop.sql': SHOP_SQL.pg },
}));

beforeEach(() => untilAllIsWell(bed));

const cache = () => bed.behind.cache;
const reload = async (resources: object): Promise<void> => {
  writeFileSync(bed.instance.configPath, JSON.stringify(embeddedShop({ resources })));
  const answer = await bed.admin.post('/v1/ops/reload', {});
  expect(answer.status, answer.text).toBe(200);
};

describe('entries of format opaque', () => {
  test.each([
    ['a hash', (key: string) => cache().hset(key, { text: 'old', seen: '3' })],
    ['a list', (key: string) => cache().rpush(key, 'a', 'b')],
    ['bytes that are no text', (key: string) => cache().set(key, Buffer.from([0, 255, 10, 128]))],
    [
      'what looks like an entry of Lockstep',
      (key: string) => cache().set(key, '{"s":"intent","f":9}\n'),
    ],
  ])('%s: is not read, and is deleted by a write (P12)', async (_, fill) => {
    const id = newId();
    await bed.api.put('note', id, { text: 'first' });
    await fill(`note:${id}`);
    const before = await cache().dump(`note:${id}`);
    expect((await bed.api.get('note', id)).body).toMatchObject({
      source: 'primary',
      value: { text: 'first' },
    });
    expect(await cache().dump(`note:${id}`)).toBe(before);
    expect((await bed.api.patch('note', id, { text: 'second' })).body.cache).toBe('invalidated');
    expect(await cache().exists(`note:${id}`)).toBe(0);
    await bed.api.get('note', id);
    expect(await cache().exists(`note:${id}`)).toBe(0);
  });

  test('are deleted by lockstep_invalidate, and by a call for invalidation', async () => {
    const id = newId();
    await cache().hset(`note:${id}`, { text: 'old' });
    await bed.behind.sql('select lockstep_invalidate(?, ?)', ['note', String(id)]);
    await eventually(async () => expect(await cache().exists(`note:${id}`)).toBe(0));
    await cache().hset(`note:${id}`, { text: 'old' });
    await bed.api.post('/v1/invalidations', { keys: [{ resource: 'note', key: id }] });
    expect(await cache().exists(`note:${id}`)).toBe(0);
  });

  test('are shown as what they are, and not audited', async () => {
    const id = newId();
    await bed.api.put('note', id, { text: 'first' });
    await cache().hset(`note:${id}`, { text: 'old' });
    const shown = await bed.admin.call('GET', `/v1/ops/keys/note/${id}`);
    expect(shown.body).toMatchObject({ cache: { state: 'opaque', ttlMs: null }, agrees: null });
    const audit = await bed.admin.post('/v1/ops/audits', { resource: 'note' });
    expectProblem(audit, 'INVALID');
  });
});

describe('a rollout', () => {
  test('that invalidates deletes what the service cached, and fills nothing until it owns the entries', async () => {
    const id = newId();
    await bed.api.put('profile', id, { name: 'first' });
    await cache().set(`profile:${id}`, '{"anything":1}');
    expect((await bed.api.get('profile', id)).body).toMatchObject({ value: { name: 'first' } });
    expect(await cache().get(`profile:${id}`)).toBe('{"anything":1}');
    await bed.api.patch('profile', id, { name: 'second' });
    expect(await cache().get(`profile:${id}`)).toBeNull();

    await reload({ note, memo, profile: { ...profile, rollout: 'own', format: 'raw' } });
    await eventually(async () => {
      await bed.api.get('profile', id);
      expect(JSON.parse((await cache().get(`profile:${id}`)) ?? 'null')).toMatchObject({
        name: 'second',
      });
    });
  });
});

describe('in shadow', () => {
  const shadow = async (): Promise<RolloutReport> => {
    const answer = await bed.admin.call('GET', '/v1/ops/rollout');
    const { shadow: reports } = JSON.parse(answer.text) as { shadow: RolloutReport[] };
    const [report] = reports;
    if (report === undefined) throw new Error(answer.text);
    return report;
  };
  const update = async (id: number, text: string): Promise<void> => {
    await bed.behind.sql('update memos set text = ? where id = ?', [text, id]);
    await bed.behind.sql('select lockstep_invalidate(?, ?)', ['memo', String(id)]);
  };

  test('nothing is deleted, and what stays old is counted, with the reads of it (P13)', async () => {
    const [forgotten, careful, page] = [newId(), newId(), newId()];
    for (const id of [forgotten, careful, page])
      await bed.behind.sql("insert into memos values (?, 'old')", [id]);
    for (const id of [forgotten, careful])
      await cache().set(`memo:${id}`, JSON.stringify({ id, text: 'old' }));
    await cache().hset(`memo-page:${page}`, { html: '<p>old</p>' });

    for (const id of [forgotten, careful, page]) await update(id, 'new');
    await cache().set(`memo:${careful}`, JSON.stringify({ id: careful, text: 'new' }));
    await eventually(async () => {
      expect(await shadow()).toMatchObject({
        // Each row has two cache keys.
        invalidations: 6,
        found: { absent: 3, current: 1, stale: 1, unchanged: 1, removed: 0 },
        staleNow: 2,
      });
    });
    await eventually(async () => {
      await cache().get(`memo:${forgotten}`);
      const { staleReads } = await shadow();
      expect(staleReads === null || staleReads > 0).toBe(true);
    });
    expect(await cache().exists(`memo:${forgotten}`, `memo:${careful}`, `memo-page:${page}`)).toBe(
      3,
    );

    await cache().del(`memo:${forgotten}`, `memo-page:${page}`);
    await eventually(async () => expect((await shadow()).staleNow).toBe(0));
  });

  test('a write through Lockstep leaves the cache alone, and says so', async () => {
    const id = newId();
    await cache().set(`memo:${id}`, 'anything');
    expect((await bed.api.put('memo', id, { text: 'x' })).body.cache).toBe('none');
    await bed.api.post('/v1/invalidations', { keys: [{ resource: 'memo', key: id }] });
    await bed.api.post('/v1/invalidations', { cacheKeys: [`memo:${id}`, `memo-page:${id}`] });
    const sweep = await bed.admin.post('/v1/ops/sweeps', {});
    expect(sweep.status, sweep.text).toBe(200);
    expectProblem(await bed.admin.post('/v1/ops/sweeps', { resource: 'memo' }), 'INVALID');
    const there = ['--data-dir', bed.instance.dataDir];
    const cli = await runCli([
      'sweep',
      '--resource',
      'memo',
      '--config',
      bed.instance.configPath,
      ...there,
    ]);
    expect(cli).toMatchObject({ code: 1, stderr: expect.stringContaining('shadow') as string });
    expect(await cache().get(`memo:${id}`)).toBe('anything');
  });
});
