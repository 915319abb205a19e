import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { RowStore } from '../database/port.ts';
import { LockstepError, type Key, type WriteRequest } from '../domain/index.ts';
import { type Engine, LOCK_TTL_MS, openEngine, withMethod } from './testing/engine.ts';

let engine: Engine;
let ids = 100;
const nextId = (): number => (ids += 1);
const HOUR_MS = 3_600_000;

beforeAll(async () => {
  engine = await openEngine();
});
afterAll(() => engine.close());

const within = (leaseId: string, key: Key, owner: string): WriteRequest => ({
  ...engine.put(key, owner),
  leaseId,
});
const lease = async (key: Key, ttlMs = HOUR_MS) => engine.leases.grant(key, ttlMs);

const withWrite = (write: RowStore['write']): RowStore => withMethod(engine.rows, { write });

/** A writer in another process, which holds the key's lock although this one is sure that it does. */
const robber = (key: Key) => {
  engine.nodes.drop(key.lockKey);
  return engine.writer(engine.rows, engine.recovery, false, engine.otherLocks);
};

describe('a lease of a strict key', () => {
  it('has its fence stored, so that no earlier holder commits any more (T6)', async () => {
    const key = engine.account(nextId());
    const { fence: older } = await engine.entries.placeIntent(key.cacheKey, 'older', 0);
    const { id, fence } = await lease(key);
    expect(fence).toBeGreaterThan(older);
    expect((await engine.rows.read(key)).fence).toBe(fence);
    const change = { op: 'put', set: { owner: 'late' }, onlyCreate: false } as const;
    const late = await engine.rows.write({ key, change, fence: older, outbox: false });
    expect(late).toEqual({ status: 'fenced', storedFence: fence });
    expect(await engine.entry(key)).toMatchObject({ state: 'value', row: null });
    engine.leases.release(id);
  });

  it('lets writes under it through, and others wait until it is over (T8)', async () => {
    const key = engine.account(nextId());
    const { id, fence } = await lease(key);
    const waiting = engine.writer().write(engine.put(key, 'waiting'));
    const elsewhere = engine
      .writer(engine.rows, engine.recovery, false, engine.otherLocks)
      .write({ ...engine.put(key, 'elsewhere'), waitTimeoutMs: 60 });
    await expect(elsewhere).rejects.toMatchObject({ code: 'LOCK_TIMEOUT' });
    const first = await engine.writer().write(within(id, key, 'one'));
    const second = await engine.writer().write(within(id, key, 'two'));
    expect([first.version, second.version]).toEqual([1, 2]);
    expect(first.fence).toBeGreaterThan(fence);
    expect(second).toMatchObject({ cache: 'fresh', value: { owner: 'two' } });
    engine.leases.release(id);
    expect(await waiting).toMatchObject({ version: 3 });
  });

  it('loses a write to no other holder that came in between, whatever became of the lock (T7)', async () => {
    const key = engine.account(nextId());
    const { id } = await lease(key);
    await engine.writer().write(within(id, key, 'mine'));
    await robber(key).write(engine.put(key, 'theirs'));
    const late = engine.writer().write(within(id, key, 'late'));
    await expect(late).rejects.toMatchObject({ code: 'FENCED', outcome: 'not_applied' });
    expect((await engine.rows.read(key)).row).toMatchObject({ owner: 'theirs' });
    expect(() => engine.leases.extend(id, 1_000)).toThrow('lost');
    await expect.poll(async () => (await engine.entry(key)).state).not.toBe('intent');
    expect(await engine.reads.read(key)).toMatchObject({ row: { owner: 'theirs' } });
  });

  it('is lost to a recovery of another process too (T7)', async () => {
    const key = engine.account(nextId());
    const { id } = await lease(key);
    await engine.rows.raiseFence(key, 2 ** 52);
    const late = engine.writer().write(within(id, key, 'late'));
    await expect(late).rejects.toMatchObject({ code: 'FENCED' });
    expect((await engine.rows.read(key)).version).toBe(0);
  });

  it('goes on after a refused write, and after one whose outcome is unknown', async () => {
    const [key, taken] = [engine.account(nextId()), engine.account(nextId())];
    await engine.writer().write(engine.put(taken, 'has it'));
    const { id } = await lease(key);
    await expect(engine.writer().write(within(id, key, 'has it'))).rejects.toMatchObject({
      code: 'CONSTRAINT',
    });
    for (const isApplied of [true, false]) {
      const rows = withWrite(async (write) => {
        if (isApplied) await engine.rows.write(write);
        throw new LockstepError('OUTCOME_UNKNOWN', 'no answer');
      });
      await expect(
        engine.writer(rows).write(within(id, key, `lost ${isApplied}`)),
      ).rejects.toMatchObject({ code: 'OUTCOME_UNKNOWN' });
    }
    expect((await engine.entry(key)).state).toBe('intent');
    const next = await engine.writer().write(within(id, key, 'after'));
    expect(next).toMatchObject({ version: 2, cache: 'fresh' });
    engine.leases.release(id);
  });

  it('over with an intent left behind has it recovered', async () => {
    const key = engine.account(nextId());
    const { id } = await lease(key);
    const rows = withWrite(() => Promise.reject(new LockstepError('OUTCOME_UNKNOWN', 'no answer')));
    await expect(engine.writer(rows).write(within(id, key, 'x'))).rejects.toThrow();
    engine.leases.release(id);
    await expect.poll(async () => (await engine.entry(key)).state).toBe('value');
  });

  it('keeps its key beyond the lock’s own time, for its transactions too', async () => {
    const [key, other] = [engine.account(nextId()), engine.note(nextId())];
    const { id } = await lease(key);
    await new Promise((resolve) => setTimeout(resolve, LOCK_TTL_MS + 100));
    const receipts = await engine.writer().transact({
      writes: [engine.put(key, `k${key.text}`), engine.put(other, `k${other.text}`)],
      leaseIds: [id],
    });
    expect(receipts.map(({ version }) => version)).toEqual([1, 1]);
    const refused = engine.writer().transact({
      writes: [{ ...engine.put(key, 'm'), ifMatch: 9 }],
      leaseIds: [id],
    });
    await expect(refused).rejects.toMatchObject({ code: 'VERSION_MISMATCH' });
    expect(await engine.writer().write(within(id, key, 'n'))).toMatchObject({ version: 2 });
    await robber(key).write(engine.put(key, 'theirs too'));
    const late = engine.writer().transact({ writes: [engine.put(key, 'late')], leaseIds: [id] });
    // The lease may have noticed by itself that its lock is gone; else the database refuses the operation.
    await expect(late).rejects.toMatchObject({ code: 'FENCED' });
    expect((await engine.rows.read(key)).row).toMatchObject({ owner: 'theirs too' });
  });
});

describe('a lease of a key without strict writes', () => {
  it('is numbered by the database, and holds off other leases', async () => {
    const key = engine.note(nextId());
    const first = await lease(key);
    expect((await engine.rows.read(key)).fence).toBe(first.fence);
    await expect(engine.leases.grant(key, 1_000, 50)).rejects.toMatchObject({
      code: 'LOCK_TIMEOUT',
    });
    const written = await engine.writer().write(within(first.id, key, `p${key.text}`));
    expect(written).toMatchObject({ version: 1, cache: 'invalidated' });
    expect(written.fence).toBeGreaterThan(first.fence);
    engine.leases.release(first.id);
    const second = await lease(key);
    expect(second.fence).toBeGreaterThan(written.fence ?? Infinity);
    engine.leases.release(second.id);
  });

  it('makes writes of its own process wait, and its lost ones never commit (T7) (T8)', async () => {
    const key = engine.note(nextId());
    const { id, fence } = await lease(key);
    const waiting = engine.writer().write(engine.put(key, 'waits'));
    await engine.writer().write(within(id, key, `q${key.text}`));
    engine.leases.release(id);
    expect(await waiting).toMatchObject({ version: 2, fence: null });
    const next = await lease(key);
    expect(next.fence).toBeGreaterThan(fence);
    await engine.rows.raiseFence(key, next.fence + 10);
    const late = engine.writer().write(within(next.id, key, 'late'));
    await expect(late).rejects.toMatchObject({ code: 'FENCED' });
    expect((await engine.rows.read(key)).version).toBe(2);
  });
});
