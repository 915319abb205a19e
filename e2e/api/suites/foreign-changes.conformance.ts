import { describe, expect, test } from 'vitest';
import type { Answer } from '../../support/api-client.ts';
import { eventually } from '@lockstep/testkit/poll';
import { expectProblem } from '../../support/problem.ts';
import type { TestBed } from '../../support/shared-instance.ts';
import { newId } from '../../support/shop.ts';

/** One table for each policy, so that no resource changes another one's rows. */
const POLICIES = {
  strict: { policy: 'strict' },
  deleting: { policy: 'delete-after-write' },
  doubling: { policy: 'delayed-double-delete', secondDeleteAfter: '100ms' },
  logged: { policy: 'change-log' },
  refreshed: { policy: 'refresh', refresh: { every: '1h' } },
  uncached: { policy: 'none' },
} as const;
type Name = keyof typeof POLICIES;
const NAMES = Object.keys(POLICIES) as Name[];

export const FOREIGN_TABLES = NAMES.map(
  (name) =>
    `CREATE TABLE t_${name} (id bigint PRIMARY KEY, v int);\nINSERT INTO t_${name} VALUES (1, 1);\n`,
).join('');

export const FOREIGN_RESOURCES = Object.fromEntries(
  NAMES.map((name) => [
    name,
    {
      table: `t_${name}`,
      key: ['id'],
      cacheKey: `${name}:{id}`,
      ttl: '10m',
      ...POLICIES[name],
    },
  ]),
);

const TAGGED = /^"(\d+)-([\w-]+)"$/;

/** A row that another program changed has another entity tag, by whatever policy Lockstep writes it. */
export function describeForeignChanges(bed: TestBed): void {
  const etagOf = ({ headers }: Answer): string => String(headers.etag);
  const get = (name: Name, id: number, headers = {}): Promise<Answer> =>
    bed.api.call('GET', `/v1/resources/${name}/${id}`, { headers });
  const primary = (name: Name, id: number, headers = {}): Promise<Answer> =>
    bed.api.call('GET', `/v1/resources/${name}/${id}?consistency=primary`, { headers });
  /** What the cache has of the row is made anew, as each policy does it. */
  async function renewed(name: Name, id: number): Promise<void> {
    const { status } =
      name === 'refreshed'
        ? await bed.admin.post('/v1/ops/refreshes', { resource: name })
        : await bed.api.post('/v1/invalidations', { keys: [{ resource: name, key: id }] });
    expect(status).toBe(200);
  }
  const change = (name: Name, id: number, set: string): Promise<unknown> =>
    bed.behind.sql(`UPDATE t_${name} SET ${set} WHERE id = ?`, [id]);

  describe.each(NAMES)('a row of the policy of %s', (name) => {
    test('that only Lockstep writes has the plain version, on every way to read it', async () => {
      const id = newId();
      expect(etagOf(await bed.api.put(name, id, { v: 1 }))).toBe('"1"');
      expect(etagOf(await bed.api.patch(name, id, { v: 2 }, { 'if-match': '"1"' }))).toBe('"2"');
      await renewed(name, id);
      for (const read of [
        await primary(name, id),
        await bed.api.get(name, id),
        await bed.api.get(name, id),
      ])
        expect(etagOf(read)).toBe('"2"');
      const again = await get(name, id, { 'if-none-match': 'W/"1", "2"' });
      expect(again.status).toBe(304);
    });

    test('has a new ETag after another program changed it: no 304, and no write on the old one (V1, V2)', async () => {
      const id = newId();
      await bed.api.put(name, id, { v: 1 });
      await bed.api.get(name, id);
      await change(name, id, 'v = 100');
      const seen = await primary(name, id, { 'if-none-match': '"1"' });
      expect([seen.status, seen.body.version, seen.body.value]).toEqual([200, 1, { id, v: 100 }]);
      expect(etagOf(seen)).toMatch(TAGGED);
      await renewed(name, id);
      await eventually(async () => {
        expect((await bed.api.get(name, id)).body.value).toEqual({ id, v: 100 });
      });
      // Once more, so that the cache answers where there is one.
      const cached = await get(name, id, { 'if-none-match': '"1"' });
      expect([cached.status, etagOf(cached)]).toEqual([200, etagOf(seen)]);
      const known = await get(name, id, { 'if-none-match': etagOf(seen) });
      expect(known.status).toBe(304);

      const old = { 'if-match': '"1"' };
      for (const refused of [
        await bed.api.patch(name, id, { v: 2 }, old),
        await bed.api.put(name, id, { v: 2 }, old),
        await bed.api.delete(name, id, old),
      ]) {
        expectProblem(refused, 'VERSION_MISMATCH');
        expect(refused.body).toMatchObject({ currentVersion: 1, etag: etagOf(seen) });
      }
      const written = await bed.api.patch(name, id, { v: 2 }, { 'if-match': etagOf(seen) });
      expect([written.status, etagOf(written)]).toEqual([200, '"2"']);
      expectProblem(
        await bed.api.patch(name, id, { v: 3 }, { 'if-match': etagOf(seen) }),
        'VERSION_MISMATCH',
      );
      await renewed(name, id);
      expect(etagOf(await bed.api.get(name, id))).toBe('"2"');
    });

    test('has a new ETag after each change, in batches and transactions too', async () => {
      const id = newId();
      await bed.api.put(name, id, { v: 1 });
      const tags = new Set(['"1"']);
      for (const v of [2, 3, 4]) {
        await change(name, id, `v = ${v}`);
        tags.add(etagOf(await primary(name, id)));
      }
      expect(tags.size).toBe(4);
      const get = { op: 'get', resource: name, key: id, consistency: 'primary' };
      const batch = await bed.api.post('/v1/batch', { operations: [get] });
      const [{ etag } = { etag: '' }] = batch.body.results as unknown as { etag: string }[];
      expect(etag).toBe([...tags].at(-1));
      const patch = { op: 'patch', resource: name, key: id, value: { v: 9 } };
      for (const ifMatch of [1, '"1"']) {
        const operations = [{ ...patch, ifMatch }];
        const refused = await bed.api.post('/v1/batch', { operations });
        expect(refused.body.results).toMatchObject([{ status: 412, etag }]);
        expectProblem(await bed.api.post('/v1/transactions', { operations }), 'VERSION_MISMATCH');
      }
      const operations = [{ ...patch, ifMatch: etag }];
      const applied = await bed.api.post('/v1/transactions', { operations });
      expect(applied.body).toMatchObject({ outcome: 'applied', results: [{ version: 2 }] });
    });

    test('is not recreated by a conditional write after another program deleted it (V3)', async () => {
      const id = newId();
      await bed.api.put(name, id, { v: 1 });
      await bed.behind.sql(`DELETE FROM t_${name} WHERE id = ?`, [id]);
      const refused = await bed.api.put(name, id, { v: 2 }, { 'if-match': '"1"' });
      expectProblem(refused, 'VERSION_MISMATCH');
      expect(refused.text).not.toContain('"etag"');
      await bed.behind.sql(`INSERT INTO t_${name} (id, v) VALUES (?, 5)`, [id]);
      expectProblem(
        await bed.api.put(name, id, { v: 2 }, { 'if-match': '"1"' }),
        'VERSION_MISMATCH',
      );
      expect(etagOf(await primary(name, id))).toMatch(TAGGED);
    });
  });
}

/** Only PostgreSQL shows that nobody has changed a row since Lockstep first knew its table. */
export function describeFoundRows(bed: TestBed): void {
  test.each(NAMES)('a row of %s from before Lockstep has "0" until it changes', async (name) => {
    const path = `/v1/resources/${name}/1`;
    const found = await bed.api.get(name, 1);
    expect([found.body.version, found.headers.etag]).toEqual([0, '"0"']);
    await bed.behind.sql(`UPDATE t_${name} SET v = 100 WHERE id = 1`);
    const changed = await bed.api.call('GET', `${path}?consistency=primary`, {
      headers: { 'if-none-match': '"0"' },
    });
    expect([changed.status, changed.body.value]).toEqual([200, { id: 1, v: 100 }]);
    expectProblem(
      await bed.api.patch(name, 1, { v: 2 }, { 'if-match': '"0"' }),
      'VERSION_MISMATCH',
    );
    // The refusal has taken away what the cache had of before, but where only a refresh writes it.
    if (name !== 'refreshed')
      expect((await bed.api.get(name, 1)).headers.etag).toBe(changed.headers.etag);
  });
}
