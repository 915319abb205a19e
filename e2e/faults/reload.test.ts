import { writeFileSync } from 'node:fs';
import pg from 'pg';
import { beforeEach, describe, expect, test } from 'vitest';
import type { ReloadReport, ResourceSummary } from '@lockstep/shared';
import { untilAllIsWell } from '../support/all-well.ts';
import { cell } from '../support/api-client.ts';
import { eventually } from '@lockstep/testkit/poll';
import { expectProblem } from '../support/problem.ts';
import { useInstance } from '../support/shared-instance.ts';
import { embeddedShop, newId, SHOP_SQL } from '../support/shop.ts';

const profile = { table: 'profiles', key: ['id'], cacheKey: 'profile:{id}', ttl: '10m' };
const note = { table: 'notes', key: ['id'], cacheKey: 'note:{id}' };
const BASE = { profile: { ...profile, policy: 'delete-after-write' }, note };

const bed = useInstance(() => ({
  config: embeddedShop({ resources: BASE }),
  files: { 'shop.sql': SHOP_SQL.pg },
  keepPort: true,
}));

beforeEach(() => untilAllIsWell(bed));

const RECOVERY = { withinMs: 90_000, everyMs: 20 };
const configure = (resources: object, rest: object = {}): void =>
  writeFileSync(bed.instance.configPath, JSON.stringify(embeddedShop({ resources, ...rest })));
const reload = async (): Promise<ReloadReport> => {
  const answer = await bed.admin.post('/v1/ops/reload', {});
  expect(answer.status, answer.text).toBe(200);
  return JSON.parse(answer.text) as ReloadReport;
};
const summaries = async (): Promise<Map<string, ResourceSummary>> => {
  const { text } = await bed.admin.call('GET', '/v1/ops/resources');
  const { resources } = JSON.parse(text) as { resources: ResourceSummary[] };
  return new Map(resources.map((each) => [each.resource, each]));
};
const settled = (resource = 'profile'): Promise<void> =>
  eventually(async () => {
    expect((await summaries()).get(resource)).not.toHaveProperty('isSwitching');
  }, RECOVERY);
const withPolicy = (policy: string, rest: object = {}) => ({
  ...BASE,
  profile: { ...profile, policy, ...rest },
});

describe('a reload', () => {
  test('from delete-after-write to strict serves no value that was cached before (P7, P8)', async () => {
    const id = newId();
    await bed.api.put('profile', id, { name: 'true' });
    await bed.api.get('profile', id);
    const entry = JSON.stringify({ s: 'value', v: 1, f: 0, t: 1 });
    await bed.behind.cache.set(`profile:${id}`, `${entry}\n{"id":${id},"name":"old"}`, 'EX', 600);
    configure(withPolicy('strict'));
    expect(await reload()).toMatchObject({
      ...{ switched: ['profile'], added: [], removed: [], settled: true },
    });
    expect((await bed.api.get('profile', id)).body).toMatchObject({
      ...{ source: 'primary', value: { name: 'true' } },
    });
    expect((await bed.api.get('profile', id)).body).toMatchObject({ source: 'cache', version: 1 });
    expect((await bed.api.patch('profile', id, { name: 'next' })).body).toMatchObject({
      policy: 'strict',
      cache: 'fresh',
      version: 2,
    });
  });

  test('by SIGHUP does the same, and a second one changes nothing', async () => {
    configure(withPolicy('delete-after-write'));
    process.kill(bed.instance.pid, 'SIGHUP');
    await eventually(async () => {
      expect((await summaries()).get('profile')?.policy).toBe('delete-after-write');
    }, RECOVERY);
    await settled();
    expect(await reload()).toEqual({
      ...{ added: [], removed: [], changed: [], switched: [] },
      settled: true,
    });
  });

  test('with a wrong configuration changes nothing and reports every fault (P9)', async () => {
    const before = await summaries();
    configure(
      { ...withPolicy('strict', { format: 'raw' }), lost: { table: 'nowhere', key: ['id'] } },
      { locks: { mode: 'embedded', ttl: '3s' }, colour: 'red' },
    );
    const first = await bed.admin.post('/v1/ops/reload', {});
    expectProblem(first, 'INVALID');
    expect(first.body.errors?.map(({ path }) => path).sort()).toEqual([
      'colour',
      'resources.profile.format',
    ]);
    configure(
      { ...withPolicy('strict'), lost: { table: 'nowhere', key: ['id'] } },
      { locks: { mode: 'embedded', ttl: '3s', waitTimeout: '2s' } },
    );
    const second = await bed.admin.post('/v1/ops/reload', {});
    expectProblem(second, 'INVALID');
    expect(second.body.errors?.map(({ path }) => path)).toEqual(
      expect.arrayContaining(['locks.ttlMs', 'resources.lost.table']),
    );
    expect(await summaries()).toEqual(before);
    configure(withPolicy('delete-after-write'));
    await reload();
  });

  test('adds and removes resources', async () => {
    const id = newId();
    expectProblem(await bed.api.get('memo', id), 'UNKNOWN_RESOURCE');
    const memo = { table: 'memos', key: ['id'], cacheKey: 'memo:{id}' };
    configure({ profile: withPolicy('delete-after-write').profile, memo });
    expect(await reload()).toMatchObject({ added: ['memo'], removed: ['note'] });
    expect((await bed.api.put('memo', id, { text: 'x' })).status).toBe(201);
    await settled('memo');
    await bed.api.get('memo', id);
    expect((await bed.api.get('memo', id)).body.source).toBe('cache');
    expectProblem(await bed.api.get('note', id), 'UNKNOWN_RESOURCE');
    configure(withPolicy('delete-after-write'));
    await reload();
  });

  test('to raw and back never leaves entries of the other format (P8)', async () => {
    const id = newId();
    await bed.api.put('profile', id, { name: 'a' });
    await bed.api.get('profile', id);
    configure(withPolicy('delayed-double-delete', { format: 'raw', cacheKey: 'raw:{id}' }));
    await reload();
    await settled();
    expect((await bed.behind.cache.get(`profile:${id}`)) ?? '').not.toContain('"value"');
    await bed.api.get('profile', id);
    await eventually(async () => {
      const text = await bed.behind.cache.get(`raw:${id}`);
      expect(JSON.parse(text ?? 'null')).toMatchObject({ name: 'a' });
    });
    // Readers that know nothing of Lockstep may still write there: no intent may stand among them.
    configure(withPolicy('strict', { cacheKey: 'raw:{id}' }));
    const refused = await bed.admin.post('/v1/ops/reload', {});
    expectProblem(refused, 'INVALID');
    expect(refused.body.errors?.[0]?.path).toBe('resources.profile.cacheKey');
    configure(withPolicy('strict'));
    await reload();
    await settled();
    expect(await bed.behind.cache.exists(`raw:${id}`)).toBe(0);
  });

  test('carries out a transaction that was in flight by the new policy (P7)', async () => {
    configure(withPolicy('delete-after-write'));
    await reload();
    await settled();
    const id = newId();
    await bed.api.put('note', id, { text: 'before' });
    const other = new pg.Client({ connectionString: bed.instance.runtime.databaseUrl });
    await other.connect();
    try {
      await other.query('begin');
      await other.query('select 1 from notes where id = $1 for update', [id]);
      const transaction = bed.api.post('/v1/transactions', {
        operations: [
          { op: 'patch', resource: 'note', key: id, value: { text: 'after' } },
          { op: 'put', resource: 'profile', key: id, value: { name: 'after' } },
        ],
      });
      await eventually(async () => {
        const waiting = "select 1 from pg_stat_activity where wait_event_type = 'Lock'";
        expect(await bed.behind.sql(waiting)).not.toEqual([]);
      }, RECOVERY);
      configure(withPolicy('strict'));
      const asked = reload();
      await eventually(async () => {
        const [row] = await bed.behind.sql(
          "select definition from lockstep_policies where resource = 'profile'",
        );
        expect(JSON.parse(row?.['definition'] ?? '')).toMatchObject({ is: { policy: 'strict' } });
      }, RECOVERY);
      await other.query('commit');
      const { status, text, body } = await transaction;
      expect(status, text).toBe(200);
      expect(body.results).toMatchObject([
        { version: 2, policy: 'delete-after-write' },
        { version: 1, policy: 'strict' },
      ]);
      expect((await bed.api.get('profile', id)).body.value).toMatchObject({ name: 'after' });
      expect(await asked).toMatchObject({ switched: ['profile'] });
    } finally {
      await other.end();
    }
  });

  test('under load, through every policy and a kill in the middle, never shows a strict reader an old value (P7, P8)', async () => {
    configure(withPolicy('delete-after-write'));
    await reload();
    await settled();
    const ids = Array.from({ length: 4 }, newId);
    for (const id of ids) await bed.api.put('profile', id, { name: 'n', visits: 0 });
    const acknowledged = new Map(ids.map((id) => [id, 0]));
    const faults: string[] = [];
    const codes = new Map<string, number>();
    let [isLoading, isStrict] = [true, false];
    const caller = async (id: number): Promise<void> => {
      while (isLoading) {
        try {
          const answer = await bed.api.patch('profile', id, { $inc: { visits: 1 } });
          if (answer.status === 200)
            acknowledged.set(
              id,
              Math.max(acknowledged.get(id) ?? 0, Number(cell(answer, 'visits'))),
            );
          else codes.set(answer.body.code ?? '', (codes.get(answer.body.code ?? '') ?? 0) + 1);
          const [strictBefore, least] = [isStrict, acknowledged.get(id) ?? 0];
          const read = await bed.api.get('profile', id);
          const seen = Number(cell(read, 'visits'));
          if (strictBefore && isStrict && seen < least)
            faults.push(`${id}: ${seen} after ${least} from ${read.body.source}`);
        } catch {
          await new Promise((resolve) => setTimeout(resolve, 20)); // it is being started again
        }
      }
    };
    const callers = [...ids, ...ids].map(caller);
    try {
      for (const policy of ['strict', 'none', 'strict', 'delayed-double-delete', 'strict']) {
        isStrict = false;
        configure(withPolicy(policy));
        await reload();
        // From its answer on: also before the switch has settled.
        isStrict = policy === 'strict';
        const before = Math.max(...acknowledged.values());
        await eventually(() => {
          expect(Math.max(...acknowledged.values())).toBeGreaterThan(before + 10);
        }, RECOVERY);
        await settled();
      }
      isStrict = false;
      configure(withPolicy('delete-after-write'));
      await reload();
      configure(withPolicy('strict'));
      const asked = bed.admin.post('/v1/ops/reload', {}).catch(() => null);
      await new Promise((resolve) => setTimeout(resolve, Math.random() * 30));
      await bed.instance.kill();
      await asked;
      await bed.instance.start();
      isStrict = true;
      const before = Math.max(...acknowledged.values());
      await eventually(() => {
        expect(Math.max(...acknowledged.values())).toBeGreaterThan(before + 10);
      }, RECOVERY);
    } finally {
      isLoading = false;
      await Promise.all(callers);
      await bed.reconnect();
    }
    expect(faults).toEqual([]);
    // One coordinator follows its own switch: no caller hears of it.
    expect([...codes.keys()].filter((code) => code === 'FENCED')).toEqual([]);
    await settled();
    for (const id of ids) {
      const read = await bed.api.get('profile', id);
      expect(Number(cell(read, 'visits'))).toBeGreaterThanOrEqual(acknowledged.get(id) ?? 0);
    }
  }, 120_000);
});
