import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { RowStore } from '../database/port.ts';
import { LockstepError } from '../domain/index.ts';
import { type Engine, LOCK_TTL_MS, openEngine } from './testing/engine.ts';

let engine: Engine;
let ids = 100;
const nextId = (): number => (ids += 1);

beforeAll(async () => {
  engine = await openEngine();
});
afterAll(() => engine.close());

/** Rows whose `write` does something else. */
const withWrite = (write: RowStore['write']): RowStore =>
  new Proxy(engine.rows, {
    get: (rows, name): unknown => {
      if (name === 'write') return write;
      const value: unknown = Reflect.get(rows, name);
      return value instanceof Function ? (value.bind(rows) as unknown) : value;
    },
  });
const noRecovery = { recover: () => Promise.reject(new Error('left for later')) };
const lostAnswer = withLater(async (rows, write) => {
  await rows.write(write);
  throw new LockstepError('OUTCOME_UNKNOWN', 'no answer');
});

function withLater(
  run: (rows: RowStore, write: Parameters<RowStore['write']>[0]) => ReturnType<RowStore['write']>,
) {
  return (): RowStore => withWrite((write) => run(engine.rows, write));
}

describe('a strict write', () => {
  it('W1, R3: its intent stands while the transaction runs, and readers read the primary and fill nothing', async () => {
    const key = engine.account(nextId());
    await engine.writer().write(engine.put(key, 'before'));
    let open = (): void => {};
    const opened = new Promise<void>((resolve) => (open = resolve));
    let sent = (): void => {};
    const wasSent = new Promise<void>((resolve) => (sent = resolve));
    const slow = withWrite(async (write) => {
      sent();
      await opened;
      return engine.rows.write(write);
    });
    const writing = engine.writer(slow).write(engine.put(key, 'after'));
    await wasSent;
    expect((await engine.entry(key)).state).toBe('intent');
    expect(await engine.reads.read(key)).toMatchObject({
      source: 'primary',
      row: { owner: 'before' },
    });
    expect((await engine.entry(key)).state).toBe('intent');
    open();
    expect(await writing).toMatchObject({ version: 2, cache: 'fresh', outcome: 'applied' });
    expect(await engine.reads.read(key)).toMatchObject({
      source: 'cache',
      row: { owner: 'after' },
      version: 2,
    });
  });

  it('W2: that the database refuses stores its fence, keeps the version, and opens the cache again', async () => {
    const [one, two] = [engine.account(nextId()), engine.account(nextId())];
    await engine.writer().write(engine.put(one, 'taken'));
    const created = await engine.writer().write(engine.put(two, 'mine'));
    await expect(engine.writer().write(engine.put(two, 'taken'))).rejects.toMatchObject({
      code: 'CONSTRAINT',
      outcome: 'not_applied',
    });
    const after = await engine.rows.read(two);
    expect(after.version).toBe(1);
    expect(after.fence).toBeGreaterThan(created.fence ?? Infinity);
    expect(await engine.entry(two)).toMatchObject({ state: 'tombstone', version: 1 });
    expect(await engine.reads.read(two)).toMatchObject({ row: { owner: 'mine' } });
    expect((await engine.entry(two)).state).toBe('value');
  });

  it('W3: whose outcome is unknown leaves its intent, and a recovery publishes what was committed', async () => {
    const key = engine.account(nextId());
    await expect(
      engine.writer(lostAnswer(), noRecovery).write(engine.put(key, 'committed')),
    ).rejects.toMatchObject({ code: 'OUTCOME_UNKNOWN', outcome: 'unknown' });
    expect((await engine.entry(key)).state).toBe('intent');
    expect(await engine.reads.read(key)).toMatchObject({
      source: 'primary',
      row: { owner: 'committed' },
    });
    await engine.recovery.recover(key, 'sweeper');
    expect(await engine.entry(key)).toMatchObject({
      state: 'value',
      version: 1,
      row: { owner: 'committed' },
    });
  });

  it('X1: whose writer died is recovered by a reader once the lock has run out', async () => {
    const key = engine.account(nextId());
    await expect(
      engine.writer(lostAnswer(), noRecovery).write(engine.put(key, 'left behind')),
    ).rejects.toThrow();
    await expect
      .poll(
        async () => {
          await engine.reads.read(key);
          return (await engine.entry(key)).state;
        },
        { timeout: 20 * LOCK_TTL_MS },
      )
      .toBe('value');
  });

  it('X2, W7: cannot commit any more after a recovery took over while it was paused', async () => {
    const key = engine.account(nextId());
    await engine.writer().write(engine.put(key, 'first'));
    const paused = withWrite(async (write) => {
      engine.nodes.drop(key.lockKey);
      const intent = await engine.entries.placeIntent(key.cacheKey, 'other', 0);
      await engine.rows.raiseFence(key, intent.fence);
      await engine.entries.publish(key.cacheKey, intent, 1, {
        version: 1,
        row: { id: key.parts[0] ?? '' },
        ttlMs: 60_000,
      });
      const late = await engine.rows.write(write);
      expect(late.status).toBe('fenced');
      throw new LockstepError('FENCED', 'stop here');
    });
    await expect(
      engine.writer(paused, noRecovery).write(engine.put(key, 'late')),
    ).rejects.toMatchObject({
      code: 'FENCED',
      outcome: 'not_applied',
    });
    expect((await engine.rows.read(key)).version).toBe(1);
    expect(await engine.entry(key)).toMatchObject({ state: 'value', version: 1 });
  });

  it('mints above what the database has seen when the cache forgot', async () => {
    const key = engine.account(nextId());
    const ahead = Date.now() * 1000 + 3_600_000_000;
    await engine.rows.raiseFence(key, ahead);
    const receipt = await engine.writer().write(engine.put(key, 'above'));
    expect(receipt.fence).toBeGreaterThan(ahead);
    expect(receipt).toMatchObject({ cache: 'fresh', version: 1 });
  });

  it('W8: concurrent writers give one gapless chain of versions', async () => {
    const key = engine.account(nextId());
    await engine.writer().write(engine.put(key, 'chain'));
    const receipts = await Promise.all(
      Array.from({ length: 40 }, () =>
        engine
          .writer()
          .write({ key, change: { op: 'patch', set: {}, increment: { balance: '1' } } }),
      ),
    );
    const versions = receipts.map(({ version }) => version).sort((a, b) => a - b);
    expect(versions).toEqual(Array.from({ length: 40 }, (_, index) => index + 2));
    expect((await engine.rows.read(key)).row).toMatchObject({
      balance: expect.anything() as unknown,
    });
    expect(String((await engine.rows.read(key)).row?.balance)).toBe('40');
    expect(await engine.entry(key)).toMatchObject({ state: 'value', version: 41 });
  });

  it('E6: a key invalidated while it is written ends as a tombstone, and says so', async () => {
    const key = engine.account(nextId());
    const invalidated = withWrite(async (write) => {
      await engine.writer().invalidate([key], []);
      return engine.rows.write(write);
    });
    expect(await engine.writer(invalidated).write(engine.put(key, 'x'))).toMatchObject({
      cache: 'invalidated',
    });
    expect((await engine.entry(key)).state).toBe('tombstone');
  });

  it('a deleted row reads as absent from the cache', async () => {
    const key = engine.account(nextId());
    await engine.writer().write(engine.put(key, 'gone'));
    expect(await engine.writer().write({ key, change: { op: 'delete' } })).toMatchObject({
      version: 2,
      value: null,
    });
    expect(await engine.reads.read(key)).toEqual({ version: 2, row: null, source: 'cache' });
  });
});

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
    await expect.poll(async () => (await engine.outbox.depth()).depth, { timeout: 15_000 }).toBe(0);
    expect(await engine.reads.read(key)).toMatchObject({ row: { owner: 'changed' }, version: 2 });
    expect(await engine.reads.read(key)).toMatchObject({
      source: 'cache',
      row: { owner: 'changed' },
    });
  });
});

describe('an idempotency key', () => {
  const idempotency = (hash: string) => ({ key: `once-${ids}`, requestHash: hash });

  it('W6: applies once for any number of concurrent repeats', async () => {
    const key = engine.account(nextId());
    await engine.writer().write(engine.put(key, `counted ${ids}`));
    const request = {
      key,
      change: { op: 'patch', set: {}, increment: { balance: '1' } },
      idempotency: idempotency('a'),
    } as const;
    const receipts = await Promise.all(
      Array.from({ length: 10 }, () => engine.writer().write(request)),
    );
    expect(new Set(receipts.map(({ version }) => version))).toEqual(new Set([2]));
    expect(receipts.filter(({ replayed }) => !replayed)).toHaveLength(1);
    expect(String((await engine.rows.read(key)).row?.balance)).toBe('1');
    await expect(
      engine.writer().write({ ...request, idempotency: idempotency('b') }),
    ).rejects.toMatchObject({ code: 'IDEMPOTENCY_KEY_REUSED' });
  });

  it('W6: tells a repeat what an unknown outcome was', async () => {
    const key = engine.account(nextId());
    const request = { ...engine.put(key, `told ${ids}`), idempotency: idempotency('a') };
    await expect(engine.writer(lostAnswer()).write(request)).rejects.toMatchObject({
      outcome: 'unknown',
    });
    expect(await engine.writer().write(request)).toMatchObject({
      replayed: true,
      version: 1,
      outcome: 'applied',
    });
  });

  it('W6: answers a refusal again although it would be applied now', async () => {
    const key = engine.account(nextId());
    const patch = { op: 'patch', set: { owner: `late ${ids}` }, increment: {} } as const;
    const request = { key, change: patch, idempotency: idempotency('a') };
    await expect(engine.writer().write(request)).rejects.toMatchObject({ code: 'NOT_FOUND' });
    await engine.writer().write(engine.put(key, `now here ${ids}`));
    await expect(engine.writer().write(request)).rejects.toMatchObject({ code: 'NOT_FOUND' });
    expect((await engine.rows.read(key)).row).toMatchObject({ owner: `now here ${ids}` });
  });
});
