import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Engine, openEngine } from './testing/engine.ts';

let engine: Engine;
let ids = 100;
const nextId = (): number => (ids += 1);

beforeAll(async () => {
  engine = await openEngine();
});
afterAll(() => engine.close());

describe('a delete-after-write', () => {
  it('W9: leaves nothing older in the cache, nor at cache keys that hang on the row', async () => {
    const key = engine.note(nextId());
    await engine.writer().write(engine.put(key, 'old owner'));
    await engine.reads.read(key);
    await engine.behind.set('owner:old owner', '[1]');
    await engine.behind.set('owner:new owner', '[2]');
    expect(await engine.writer().write(engine.put(key, 'new owner'))).toMatchObject({
      cache: 'invalidated',
      version: 2,
      fence: null,
    });
    expect(await engine.entry(key)).toMatchObject({ state: 'tombstone', version: 2 });
    expect(await engine.behind.mget('owner:old owner', 'owner:new owner')).toEqual([null, null]);
  });

  it('an invalidation of a row that another program changed covers what depends on the row as it is now', async () => {
    const key = engine.note(nextId());
    await engine.writer().write(engine.put(key, 'before'));
    await engine.rows.write({ ...engine.put(key, 'moved'), outbox: false });
    await engine.behind.set('owner:moved', '[1]');
    expect(await engine.writer().invalidate([key], [])).toEqual(['invalidated']);
    expect(await engine.entry(key)).toMatchObject({ state: 'tombstone' });
    expect(await engine.behind.get('owner:moved')).toBeNull();
    expect(await engine.writer().invalidate([engine.note(nextId())], [])).toEqual(['invalidated']);
  });

  it('E2: a reader slower than the write cannot put the old value back', async () => {
    const key = engine.note(nextId());
    await engine.writer().write(engine.put(key, 'old'));
    await engine.entries.leaseOrRead(key.cacheKey, 'slow');
    const old = await engine.rows.read(key);
    await engine.writer().write(engine.put(key, 'new'));
    expect(await engine.entries.fill(key.cacheKey, 'slow', { ...old, ttlMs: 60_000 })).toBe(
      'refused',
    );
    expect(await engine.reads.read(key)).toMatchObject({ row: { owner: 'new' }, version: 2 });
  });

  it('R4: a read with minVersion goes past an older entry, and says when the database itself is older', async () => {
    const key = engine.note(nextId());
    await engine.writer().write(engine.put(key, 'one'));
    await engine.reads.read(key);
    await engine.rows.write({ ...engine.put(key, 'two'), outbox: false });
    expect(await engine.reads.read(key)).toMatchObject({ version: 1, source: 'cache' });
    expect(await engine.reads.read(key, { minVersion: 2 })).toMatchObject({
      version: 2,
      source: 'primary',
    });
    await expect(engine.reads.read(key, { minVersion: 3 })).rejects.toMatchObject({
      code: 'VERSION_MISMATCH',
    });
  });

  it('W5: with the cache down it is applied and pending, and the relay finishes it when the cache is back', async () => {
    const key = engine.note(nextId());
    await engine.writer().write(engine.put(key, 'kept'));
    await engine.reads.read(key);
    engine.relay.start();
    await engine.cacheServer.kill();
    await expect.poll(() => engine.entries.available).toBe(false);
    expect(await engine.writer().write(engine.put(key, 'changed'))).toMatchObject({
      outcome: 'applied',
      cache: 'pending',
    });
    expect(await engine.reads.read(key)).toMatchObject({
      source: 'primary',
      row: { owner: 'changed' },
    });
    await expect(
      engine.writer().write(engine.put(engine.account(nextId()), 'no')),
    ).rejects.toMatchObject({
      code: 'CACHE_UNAVAILABLE',
      outcome: 'not_applied',
    });
    expect(await engine.writer().invalidate([key], [])).toEqual(['pending']);
    await engine.cacheServer.restart();
    await expect.poll(async () => (await engine.outbox.depth()).depth).toBe(0);
    expect(await engine.reads.read(key)).toMatchObject({ row: { owner: 'changed' }, version: 2 });
    expect(await engine.reads.read(key)).toMatchObject({
      source: 'cache',
      row: { owner: 'changed' },
    });
  });

  it.each([
    ['min-replicas-to-write', '1', '0'],
    ['maxmemory', '1', '0'],
  ])(
    'W5: with a cache that refuses (%s) it waits without counting, and is relayed when the cache takes it again',
    async (setting, bad, good) => {
      const key = engine.note(nextId());
      const strict = engine.account(nextId());
      await engine.writer().write(engine.put(key, `kept ${setting}`));
      await engine.reads.read(key);
      engine.relay.start();
      await engine.behind.config('SET', setting, bad);
      const owner = `changed ${setting}`;
      try {
        expect(await engine.writer().write(engine.put(key, owner))).toMatchObject({
          outcome: 'applied',
          cache: 'pending',
        });
        const away = { code: 'CACHE_UNAVAILABLE', outcome: 'not_applied' };
        await expect(engine.writer().write(engine.put(strict, owner))).rejects.toMatchObject(away);
        expect(await engine.reads.read(key)).toMatchObject({ source: 'primary', row: { owner } });
        expect(await engine.reads.read(engine.note(nextId()))).toMatchObject({ source: 'primary' });
        await expect
          .poll(async () => (await engine.relay.status()).blocked)
          .toMatch(/cache does not answer/);
        const counted = 'select id from lockstep_outbox where attempts > 0';
        expect(await engine.execute(counted)).toMatchObject({ rows: [] });
        expect(await engine.outbox.depth()).toMatchObject({ deadLetters: 0 });
      } finally {
        await engine.behind.config('SET', setting, good);
      }
      const depth = async () => (await engine.outbox.depth()).depth;
      await expect.poll(depth).toBe(0);
      expect(await engine.reads.read(key)).toMatchObject({ row: { owner }, version: 2 });
      expect(await engine.writer().write(engine.put(strict, owner))).toMatchObject({ version: 1 });
    },
  );
});
