import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { RowStore } from '../database/port.ts';
import { LockstepError } from '../domain/index.ts';
import { type Engine, noRecovery, openEngine, unheard, withMethod } from './testing/engine.ts';

let engine: Engine;
let ids = 100;
const nextId = (): number => (ids += 1);

beforeAll(async () => {
  engine = await openEngine();
});
afterAll(() => engine.close());

const withWrite = (write: RowStore['write']): RowStore => withMethod(engine.rows, { write });
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
      engine.writer(unheard(engine.rows), noRecovery).write(engine.put(key, 'committed')),
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
      engine.writer(unheard(engine.rows), noRecovery).write(engine.put(key, 'left behind')),
    ).rejects.toThrow();
    await expect
      .poll(async () => {
        await engine.reads.read(key);
        return (await engine.entry(key)).state;
      })
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
    expect(await engine.reads.read(key)).toEqual({
      version: 2,
      row: null,
      source: 'cache',
      isKept: true,
    });
  });
});
