import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { RowStore } from '../database/port.ts';
import { LockstepError, type Key, type TransactionRequest } from '../domain/index.ts';
import { type Engine, noRecovery, openEngine, withMethod } from './testing/engine.ts';

let engine: Engine;
let ids = 100;
const nextId = (): number => (ids += 1);

beforeAll(async () => {
  engine = await openEngine();
});
afterAll(() => engine.close());

const withTogether = (writeTogether: RowStore['writeTogether']): RowStore =>
  withMethod(engine.rows, { writeTogether });

const put = (key: Key, owner: string): TransactionRequest['writes'][number] => ({
  key,
  change: { op: 'put', set: { owner }, onlyCreate: false },
});
const add = (key: Key, step: number): TransactionRequest['writes'][number] => ({
  key,
  change: { op: 'patch', set: {}, increment: { balance: String(step) } },
});
const stateOf = async (key: Key): Promise<string> => (await engine.entry(key)).state;

describe('a transaction', () => {
  it('applies all its writes and leaves the cache as each single one would (T1)', async () => {
    const [one, two, three] = [
      engine.account(nextId()),
      engine.account(nextId()),
      engine.note(nextId()),
    ];
    await engine.reads.read(three);
    const receipts = await engine.writer().transact({
      writes: [put(two, `o${two.text}`), put(three, `o${three.text}`), put(one, `o${one.text}`)],
    });
    expect(receipts).toMatchObject([
      { version: 1, created: true, cache: 'fresh', policy: 'strict', value: { balance: 0 } },
      { version: 1, cache: 'invalidated', policy: 'delete-after-write', fence: null },
      { version: 1, cache: 'fresh' },
    ]);
    expect(await engine.entry(one)).toMatchObject({ state: 'value', version: 1 });
    expect(await engine.entry(three)).toMatchObject({ state: 'tombstone', version: 1 });
    expect((await engine.rows.read(two)).fence).toBe(receipts[0]?.fence);
  });

  it('has an intent on each strict key before it is sent, until its outcome is known (T2)', async () => {
    const [one, two] = [engine.account(nextId()), engine.account(nextId())];
    let seen: string[] = [];
    const watched = withTogether(async (transaction) => {
      seen = await Promise.all([one, two].map(stateOf));
      const result = await engine.rows.writeTogether(transaction);
      seen.push(...(await Promise.all([one, two].map(stateOf))));
      return result;
    });
    await engine.writer(watched).transact({ writes: [put(one, 'a1'), put(two, 'a2')] });
    expect(seen).toEqual(['intent', 'intent', 'intent', 'intent']);
    expect(await stateOf(one)).toBe('value');
  });

  it('whose outcome is unknown leaves all its intents, and recoveries publish what was committed (T2)', async () => {
    const [one, two] = [engine.account(nextId()), engine.account(nextId())];
    const lostAnswer = withTogether(async (transaction) => {
      await engine.rows.writeTogether(transaction);
      throw new LockstepError('OUTCOME_UNKNOWN', 'no answer');
    });
    const writing = engine
      .writer(lostAnswer, noRecovery)
      .transact({ writes: [put(one, 'b1'), put(two, 'b2')] });
    await expect(writing).rejects.toMatchObject({ code: 'OUTCOME_UNKNOWN', outcome: 'unknown' });
    expect([await stateOf(one), await stateOf(two)]).toEqual(['intent', 'intent']);
    expect(await engine.reads.read(two)).toMatchObject({ source: 'primary', row: { owner: 'b2' } });
    for (const key of [one, two]) await engine.recovery.recover(key, 'sweeper');
    expect(await engine.entry(one)).toMatchObject({ state: 'value', row: { owner: 'b1' } });
    expect(await engine.entry(two)).toMatchObject({ state: 'value', row: { owner: 'b2' } });
  });

  it('of which one is refused has stored all fences when its intents go (T5)', async () => {
    const [taken, one, two, note] = [
      engine.account(nextId()),
      engine.account(nextId()),
      engine.account(nextId()),
      engine.note(nextId()),
    ];
    await engine.writer().write(engine.put(taken, 'taken'));
    const refused = engine
      .writer()
      .transact({ writes: [put(note, 'c0'), put(one, 'c1'), put(two, 'taken')] });
    await expect(refused).rejects.toMatchObject({
      code: 'CONSTRAINT',
      outcome: 'not_applied',
      details: { operation: 2 },
    });
    for (const key of [one, two]) {
      const { version, fence, row } = await engine.rows.read(key);
      expect({ version, row }).toEqual({ version: 0, row: null });
      expect(await engine.entry(key)).toMatchObject({ state: 'tombstone', version: 0, fence });
    }
    expect((await engine.rows.read(note)).row).toBeNull();
    expect((await engine.reads.read(one)).row).toBeNull();
  });

  it('is answered again for its idempotency key, and applied once', async () => {
    const [one, two] = [engine.account(nextId()), engine.note(nextId())];
    await engine.writer().transact({ writes: [put(one, 'd1'), put(two, 'd2')] });
    const idempotency = { key: `once ${one.text}`, requestHash: 'x' };
    const request = { writes: [add(one, 5), add(two, -5)], idempotency };
    const first = await engine.writer().transact(request);
    const again = await engine.writer().transact(request);
    expect(again.map(({ version, replayed }) => [version, replayed])).toEqual([
      [2, true],
      [2, true],
    ]);
    expect(again[0]).toMatchObject({ fence: first[0]?.fence, value: { balance: 5 } });
    const other = { ...request, idempotency: { ...idempotency, requestHash: 'y' } };
    await expect(engine.writer().transact(other)).rejects.toMatchObject({
      code: 'IDEMPOTENCY_KEY_REUSED',
    });
    const single = { ...engine.put(one, 'z'), idempotency: { ...idempotency, requestHash: 'z' } };
    await expect(engine.writer().write(single)).rejects.toMatchObject({
      code: 'IDEMPOTENCY_KEY_REUSED',
    });
    const repeats = Array.from({ length: 4 }, () =>
      engine
        .writer()
        .transact({ ...request, idempotency: { key: `twice ${one.text}`, requestHash: 'x' } }),
    );
    expect((await Promise.all(repeats)).filter(([receipt]) => receipt?.replayed)).toHaveLength(3);
    expect((await engine.rows.read(one)).row).toMatchObject({ balance: 10 });
    expect(await stateOf(one)).not.toBe('intent');
  });

  it('remembers a refusal for its idempotency key', async () => {
    const [one, two] = [engine.account(nextId()), engine.account(nextId())];
    const idempotency = { key: `refused ${one.text}`, requestHash: 'x' };
    const request = { writes: [put(one, 'e1'), add(two, 1)], idempotency };
    for (let times = 0; times < 2; times += 1) {
      await expect(engine.writer().transact(request)).rejects.toMatchObject({
        code: 'NOT_FOUND',
        details: { operation: 1 },
      });
    }
  });

  it('mints anew where the cache forgot what the database has seen', async () => {
    const [one, two] = [engine.account(nextId()), engine.account(nextId())];
    const ahead = 2 ** 52;
    await engine.rows.raiseFence(two, ahead);
    const receipts = await engine.writer().transact({ writes: [put(one, 'f1'), put(two, 'f2')] });
    expect(receipts[1]?.fence).toBeGreaterThan(ahead);
    expect(await stateOf(two)).toBe('value');
  });

  it('with a second look is done anew where an intent was lost meanwhile', async () => {
    const [one, two] = [engine.account(nextId()), engine.account(nextId())];
    let tries = 0;
    const forgetful = withTogether(async (transaction) => {
      tries += 1;
      if (tries === 1) await engine.behind.del(two.cacheKey);
      return engine.rows.writeTogether(transaction);
    });
    const writer = engine.writer(forgetful, engine.recovery, true);
    const receipts = await writer.transact({ writes: [put(one, 'g1'), put(two, 'g2')] });
    expect(tries).toBe(2);
    expect(receipts.map(({ version, cache }) => [version, cache])).toEqual([
      [1, 'fresh'],
      [1, 'fresh'],
    ]);
  });

  it('over the same keys in opposite orders, from two coordinators, ends without a deadlock (T4)', async () => {
    const keys = [engine.account(nextId()), engine.account(nextId()), engine.account(nextId())];
    await engine.writer().transact({ writes: keys.map((key) => put(key, `h${key.text}`)) });
    const writers = [
      engine.writer(),
      engine.writer(engine.rows, engine.recovery, false, engine.otherLocks),
    ];
    const transactions = Array.from({ length: 12 }, (_, index) =>
      (writers[index % 2] ?? engine.writer()).transact({
        writes: (index % 3 === 0 ? keys : keys.toReversed()).map((key) => add(key, 1)),
        waitTimeoutMs: 10_000,
      }),
    );
    await Promise.all(transactions);
    for (const key of keys) {
      expect(await engine.rows.read(key)).toMatchObject({ version: 13, row: { balance: 12 } });
    }
  });

  it('is seen whole, key by key: who has read one new value reads no older one of another key (T3)', async () => {
    const keys = [engine.account(nextId()), engine.account(nextId())] as const;
    await engine.writer().transact({ writes: keys.map((key) => put(key, `i${key.text}`)) });
    let writing = true;
    const reader = async (): Promise<number> => {
      let reads = 0;
      for (; writing; reads += 1) {
        const order = reads % 2 === 0 ? keys : ([keys[1], keys[0]] as const);
        const first = await engine.reads.read(order[0]);
        const second = await engine.reads.read(order[1]);
        expect(Number(second.row?.['balance'])).toBeGreaterThanOrEqual(
          Number(first.row?.['balance']),
        );
      }
      return reads;
    };
    const readers = [reader(), reader(), reader()];
    for (let times = 0; times < 60; times += 1) {
      await engine.writer().transact({ writes: keys.map((key) => add(key, 1)) });
    }
    writing = false;
    const counts = await Promise.all(readers);
    expect(Math.min(...counts)).toBeGreaterThan(10);
  });

  it('gives back every lock where one is not to be had in time', async () => {
    const [one, two] = [engine.account(nextId()), engine.account(nextId())];
    engine.nodes.occupy(two.lockKey, 60_000);
    const refused = engine
      .writer()
      .transact({ writes: [put(one, 'j1'), put(two, 'j2')], waitTimeoutMs: 50 });
    await expect(refused).rejects.toMatchObject({
      code: 'LOCK_TIMEOUT',
      details: { operation: 1 },
    });
    await engine.writer().write(engine.put(one, 'j1'));
    engine.nodes.drop(two.lockKey);
  });
});
