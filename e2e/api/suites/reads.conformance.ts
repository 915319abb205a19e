import { describe, expect, test } from 'vitest';
import { expectProblem } from '../../support/problem.ts';
import type { TestBed } from '../../support/shared-instance.ts';
import { newId } from '../../support/shop.ts';

export function describeReads(bed: TestBed): void {
  describe('a read', () => {
    test('after a strict write comes from the cache, with the same ETag', async () => {
      const id = newId();
      const written = await bed.api.put('account', id, { owner: 'Ada' });
      const read = await bed.api.get('account', id);
      expect(read.status).toBe(200);
      expect(read.headers.etag).toBe('"1"');
      expect(read.body).toEqual({
        resource: 'account',
        key: written.body.key,
        version: 1,
        value: written.body.value,
        source: 'cache',
        token: read.headers['lockstep-token'],
      });
    });

    test('goes to the primary on a miss and fills the cache', async () => {
      const id = newId();
      await bed.behind.sql("INSERT INTO profiles (id, name) VALUES (?, 'Ada')", [id]);
      expect((await bed.api.get('profile', id)).body).toMatchObject({
        source: 'primary',
        version: 0,
      });
      expect((await bed.api.get('profile', id)).body).toMatchObject({
        source: 'cache',
        version: 0,
      });
    });

    test('bypasses the cache with consistency=primary', async () => {
      const id = newId();
      await bed.api.put('account', id, { owner: 'Ada' });
      await bed.behind.sql("UPDATE accounts SET owner = 'changed' WHERE id = ?", [id]);
      expect((await bed.api.get('account', id)).body.value).toMatchObject({ owner: 'Ada' });
      const primary = await bed.api.get('account', id, '?consistency=primary');
      expect(primary.body).toMatchObject({ source: 'primary', value: { owner: 'changed' } });
    });

    test('never answers less than minVersion (R4)', async () => {
      const id = newId();
      await bed.api.put('account', id, { owner: 'Ada' });
      await bed.api.patch('account', id, { owner: 'Grace' });
      expect((await bed.api.get('account', id, '?minVersion=2')).body.version).toBe(2);
      // An old entry, as a fault could leave it: the read must go past it.
      const old = { s: 'value', v: 1, f: 1, t: Date.now() };
      const body = { id, owner: 'Ada', balance: 0, email: null };
      const text = `${JSON.stringify(old)}\n${JSON.stringify(body)}`;
      await bed.behind.cache.set(`account:${id}`, text, 'PX', 60_000);
      expect((await bed.api.get('account', id)).body.version).toBe(1);
      const read = await bed.api.get('account', id, '?minVersion=2');
      expect(read.body).toMatchObject({ version: 2, value: { owner: 'Grace' }, source: 'primary' });
    });

    test('is refused if the database has not reached minVersion', async () => {
      const id = newId();
      await bed.api.put('account', id, { owner: 'Ada' });
      expectProblem(await bed.api.get('account', id, '?minVersion=99'), 'VERSION_MISMATCH');
    });

    test.each(['?consistency=strongest', '?minVersion=-1', '?minVersion=x', '?minVersion=1.5'])(
      'with %s is INVALID',
      async (query) => {
        expectProblem(await bed.api.get('account', newId(), query), 'INVALID');
      },
    );

    test('is NOT_FOUND if there is no row, and the cache remembers it until it is written', async () => {
      const id = newId();
      expectProblem(await bed.api.get('profile', id), 'NOT_FOUND');
      expectProblem(await bed.api.get('profile', id), 'NOT_FOUND');
      expect(await bed.behind.entry(`profile:${id}`)).toMatchObject({ state: 'value', row: null });
      const ttlMs = await bed.behind.cache.pttl(`profile:${id}`);
      expect(ttlMs).toBeGreaterThan(0);
      expect(ttlMs).toBeLessThanOrEqual(33_000);
      await bed.api.put('profile', id, { name: 'Ada' });
      expect((await bed.api.get('profile', id)).body.value).toMatchObject({ name: 'Ada' });
    });

    test('all answer when many miss one entry at once', async () => {
      const id = newId();
      await bed.behind.sql("INSERT INTO profiles (id, name) VALUES (?, 'Ada')", [id]);
      const answers = await Promise.all(
        Array.from({ length: 30 }, () => bed.api.get('profile', id)),
      );
      expect(answers.map((answer) => answer.body.value?.name)).toEqual(
        Array.from({ length: 30 }, () => 'Ada'),
      );
      expect(await bed.behind.entry(`profile:${id}`)).toMatchObject({ state: 'value' });
    });

    test('never answers an older value than an earlier acknowledgement, under concurrent writes (R6, R7)', async () => {
      const id = newId();
      await bed.api.put('account', id, { owner: 'Ada', balance: 0 });
      let acknowledged = 1;
      let writing = true;
      const writer = async (): Promise<void> => {
        for (let write = 0; write < 15; write++) {
          const answer = await bed.api.patch('account', id, { $inc: { balance: 1 } });
          acknowledged = Math.max(acknowledged, answer.body.version ?? 0);
        }
      };
      const reader = async (): Promise<void> => {
        let seen = 0;
        while (writing) {
          const least = Math.max(seen, acknowledged);
          const { body } = await bed.api.get('account', id);
          expect(body.version).toBeGreaterThanOrEqual(least);
          expect(Number(body.value?.balance)).toBe((body.version ?? 0) - 1);
          seen = body.version ?? 0;
        }
      };
      const readers = [reader(), reader(), reader()];
      await Promise.all([writer(), writer()]).finally(() => (writing = false));
      await Promise.all(readers);
      expect(acknowledged).toBe(31);
    });

    test('goes to the database when it finds an intent, and recovers an abandoned one (R3, X1)', async () => {
      const id = newId();
      await bed.api.put('account', id, { owner: 'Ada' });
      const intent = { s: 'intent', v: 1, f: Date.now() * 1000 + 5_000_000, t: Date.now() };
      await bed.behind.cache.set(`account:${id}`, `${JSON.stringify(intent)}\nnull`);
      const read = await bed.api.get('account', id);
      expect(read.body).toMatchObject({ source: 'primary', version: 1, value: { owner: 'Ada' } });
      expect((await bed.behind.entry(`account:${id}`))?.state).toBe('intent');
      await expect
        .poll(async () => (await bed.api.get('account', id)).body.source, {
          timeout: 10_000,
          interval: 100,
        })
        .toBe('cache');
      expect(await bed.behind.entry(`account:${id}`)).toMatchObject({ state: 'value', version: 1 });
    });
  });

  describe('an entry in Redis', () => {
    test('is a header line and a body, as documented, with the fence of its write', async () => {
      const id = newId();
      const written = await bed.api.put('account', id, { owner: 'Ada' });
      const text = (await bed.behind.cache.get(`account:${id}`)) ?? '';
      const newline = text.indexOf('\n');
      const header = JSON.parse(text.slice(0, newline)) as Record<string, unknown>;
      expect(header).toMatchObject({ s: 'value', v: 1, f: written.body.fence });
      expect(Math.abs(Number(header.t) - Date.now())).toBeLessThan(30_000);
      expect(JSON.parse(text.slice(newline + 1))).toEqual(written.body.value);
    });

    test('expires by the resource, with jitter', async () => {
      const id = newId();
      await bed.api.put('account', id, { owner: 'Ada' });
      const ttlMs = await bed.behind.cache.pttl(`account:${id}`);
      expect(ttlMs).toBeGreaterThan(500_000);
      expect(ttlMs).toBeLessThanOrEqual(660_000);
    });

    test('is not served if it cannot be read, and is replaced', async () => {
      const id = newId();
      await bed.api.put('profile', id, { name: 'Ada' });
      await bed.behind.cache.set(`profile:${id}`, 'not an entry');
      expect((await bed.api.get('profile', id)).body).toMatchObject({
        value: { name: 'Ada' },
        source: 'primary',
      });
      expect((await bed.api.get('profile', id)).body.value).toMatchObject({ name: 'Ada' });
    });
  });

  describe('an invalidation', () => {
    test('by key sends the next read to the database (E7)', async () => {
      const [id, other] = [newId(), newId()];
      for (const each of [id, other]) {
        await bed.api.put('profile', each, { name: 'old' });
        await bed.api.get('profile', each);
      }
      await bed.behind.sql("UPDATE profiles SET name = 'new' WHERE id IN (?, ?)", [id, other]);
      const answer = await bed.api.post('/v1/invalidations', {
        keys: [
          { resource: 'profile', key: id },
          { resource: 'profile', key: String(other) },
        ],
      });
      expect(answer.status).toBe(200);
      for (const each of [id, other]) {
        expect((await bed.api.get('profile', each)).body.value).toMatchObject({ name: 'new' });
      }
    });

    test('by cache key works for an entry and for any other key of the cache', async () => {
      const id = newId();
      await bed.api.put('account', id, { owner: 'old' });
      await bed.behind.sql("UPDATE accounts SET owner = 'new' WHERE id = ?", [id]);
      await bed.behind.cache.set(`list:${id}`, 'anything');
      const body = { cacheKeys: [`account:${id}`, `list:${id}`] };
      // A service may name the keys of resources alone.
      expect((await bed.api.post('/v1/invalidations', body)).status).toBe(422);
      expect((await bed.admin.post('/v1/invalidations', body)).status).toBe(200);
      expect((await bed.api.get('account', id)).body.value).toMatchObject({ owner: 'new' });
      expect(await bed.behind.cache.get(`list:${id}`)).not.toBe('anything');
    });

    test.each([
      [{ keys: [{ resource: 'nothing', key: 1 }] }, 'UNKNOWN_RESOURCE'],
      [{ keys: [{ resource: 'account', key: 'x' }] }, 'INVALID'],
      [{ keys: 'all' }, 'INVALID'],
      [{}, 'INVALID'],
    ] as const)('of %j is refused', async (body, code) => {
      expectProblem(await bed.api.post('/v1/invalidations', body), code);
    });
  });
}
