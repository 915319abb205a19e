import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { RowStore, RowWrite } from '../database/port.ts';
import { LockstepError } from '../domain/index.ts';
import { type Engine, noRecovery, openEngine, withMethod } from './testing/engine.ts';

let engine: Engine;
let lastId = 70_000;

beforeAll(async () => {
  engine = await openEngine();
});
afterAll(() => engine.close());

const newKey = () => engine.account((lastId += 1));

/** Rows whose transactions pass a gate one after the other. */
function gated(before: (attempt: number, writes: readonly RowWrite[]) => Promise<void>): RowStore {
  let attempts = 0;
  return withMethod(engine.rows, {
    write: async (write) => {
      await before((attempts += 1), [write]);
      return engine.rows.write(write);
    },
    writeInOrder: async (writes) => {
      await before((attempts += 1), writes);
      return engine.rows.writeInOrder(writes);
    },
  });
}

/** A promise, and what resolves it. */
function gate(): [closed: Promise<void>, open: () => void] {
  let open = (): void => undefined;
  const closed = new Promise<void>((resolve) => (open = resolve));
  return [closed, open];
}

/** A writer whose first transaction waits until `open` is called; `sent` resolves when it is about to be sent. */
function held() {
  const [closed, open] = gate();
  const [sent, markSent] = gate();
  const transactions: number[] = [];
  const states: string[] = [];
  const key = newKey();
  const rows = gated(async (attempt, writes) => {
    transactions.push(writes.length);
    states.push((await engine.entry(key)).state);
    if (attempt > 1) return;
    markSent();
    await closed;
  });
  return { key, writer: engine.writer(rows), sent, open, transactions, states };
}

const statuses = (ends: readonly PromiseSettledResult<unknown>[]) =>
  ends.map((end) => (end.status === 'fulfilled' ? 'applied' : (end.reason as LockstepError).code));

describe('writes of one key that follow one another', () => {
  it('W1, W8, W9, W16: share transactions, each with its own version and fence, and the last value is published', async () => {
    const { key, writer, sent, open, transactions, states } = held();
    const first = writer.write(engine.put(key, 'owner 0'));
    await sent;
    const others = Array.from({ length: 99 }, (_, index) =>
      writer.write(engine.put(key, `owner ${index + 1}`)),
    );
    open();
    const receipts = await Promise.all([first, ...others]);
    expect(receipts.map(({ version }) => version)).toEqual(receipts.map((_, index) => index + 1));
    expect(receipts.map(({ value }) => value?.['owner'])).toEqual(
      receipts.map((_, index) => `owner ${index}`),
    );
    expect(transactions).toEqual([1, 64, 35]);
    expect(new Set(states)).toEqual(new Set(['intent']));
    expect(receipts.map(({ cache }) => cache)).toEqual([
      ...Array.from({ length: 99 }, () => 'invalidated'),
      'fresh',
    ]);
    expect(await engine.entry(key)).toMatchObject({ state: 'value', version: 100 });
    const fences = receipts.map(({ fence }) => fence ?? 0);
    expect(fences).toEqual([...fences].sort((one, other) => one - other));
    expect(new Set(fences).size).toBe(100);
    expect(await engine.rows.read(key)).toMatchObject({ version: 100, fence: fences.at(-1) });
  });

  it('W9, E6: end the intent of a follower that went away, by a tombstone', async () => {
    const { key, writer, sent, open } = held();
    const first = writer.write(engine.put(key, 'first'));
    await sent;
    const second = writer.write({ ...engine.put(key, 'second'), waitTimeoutMs: 150 });
    await expect(second).rejects.toMatchObject({ code: 'LOCK_TIMEOUT', outcome: 'not_applied' });
    open();
    expect(await first).toMatchObject({ version: 1, cache: 'invalidated' });
    expect(await engine.entry(key)).toMatchObject({ state: 'tombstone', version: 1 });
    expect(await engine.reads.read(key)).toMatchObject({ row: { owner: 'first' } });
  });

  it('W2, W11, W16: are refused one by one, and the last that is applied is published', async () => {
    const { key, writer, sent, open, transactions } = held();
    const taken = newKey();
    await engine.writer().write(engine.put(taken, 'somebody'));
    const first = writer.write(engine.put(key, 'a'));
    await sent;
    const others = [
      writer.write(engine.put(key, 'b')),
      writer.write({ ...engine.put(key, 'c'), ifMatch: 2 }),
      writer.write({ ...engine.put(key, 'd'), ifMatch: 2 }),
      writer.write(engine.put(key, 'somebody')),
      writer.write(engine.put(key, 'e')),
      writer.write({ ...engine.put(key, 'f'), ifMatch: 1 }),
    ];
    open();
    expect(statuses(await Promise.allSettled([first, ...others]))).toEqual([
      ...['applied', 'applied', 'applied', 'VERSION_MISMATCH', 'CONSTRAINT', 'applied'],
      'VERSION_MISMATCH',
    ]);
    expect(transactions).toEqual([1, 6]);
    expect(await engine.entry(key)).toMatchObject({
      state: 'value',
      version: 4,
      row: { owner: 'e' },
    });
  });

  it('W2: that are all refused store a fence above theirs before their intent goes', async () => {
    const { key, writer, sent, open } = held();
    const first = writer.write(engine.put(key, 'only'));
    await sent;
    const others = [8, 9].map((ifMatch) => writer.write({ ...engine.put(key, 'no'), ifMatch }));
    open();
    const { fence } = await first;
    expect(statuses(await Promise.allSettled(others))).toEqual(
      others.map(() => 'VERSION_MISMATCH'),
    );
    expect((await engine.rows.read(key)).fence).toBeGreaterThan((fence ?? Infinity) + 1);
    expect(await engine.entry(key)).toMatchObject({ state: 'tombstone', version: 1 });
  });

  it('W6, W16: repeats of one idempotency key that come together are applied once', async () => {
    const { key, writer, sent, open, transactions } = held();
    const first = writer.write(engine.put(key, 'before'));
    await sent;
    const idempotency = { key: `repeat of ${key.text}`, requestHash: 'h' };
    const refused = { key: `refused ${key.text}`, requestHash: 'h' };
    const others = [
      writer.write({ ...engine.put(key, 'once'), idempotency }),
      writer.write({ ...engine.put(key, 'once'), idempotency }),
      writer.write({ ...engine.put(key, 'no'), ifMatch: 9, idempotency: refused }),
      writer.write(engine.put(key, 'after')),
    ];
    open();
    const [, once, again, no, after] = await Promise.allSettled([first, ...others]);
    const repeats = [once, again].map((end) => (end?.status === 'fulfilled' ? end.value : null));
    expect(repeats[0]?.version).toBe(repeats[1]?.version);
    expect(repeats.map((receipt) => receipt?.replayed).sort()).toEqual([false, true]);
    expect(no).toMatchObject({ reason: { code: 'VERSION_MISMATCH' } });
    expect(after).toMatchObject({ status: 'fulfilled' });
    expect(transactions[0]).toBe(1);
    expect(await engine.rows.findOutcome(refused.key)).toMatchObject({
      result: { status: 'refused' },
    });
    expect(await engine.entry(key)).toMatchObject({ version: 3 });
  });

  it('W3, W4, W17: leave the intent where their outcome is unknown, and what comes late can no longer commit', async () => {
    const key = newKey();
    const [closed, open] = gate();
    const [sent, markSent] = gate();
    const lost: RowWrite[] = [];
    const rows = withMethod(engine.rows, {
      write: async (write) => {
        markSent();
        await closed;
        return engine.rows.write(write);
      },
      writeInOrder: async (writes) => {
        const [first] = writes;
        if (lost.length > 0 || first === undefined) return engine.rows.writeInOrder(writes);
        lost.push(first);
        const error = new LockstepError('OUTCOME_UNKNOWN', 'lost');
        return writes.map((_, index) => (index === 0 ? error : null));
      },
    });
    const writer = engine.writer(rows);
    const first = writer.write(engine.put(key, 'a'));
    await sent;
    const others = ['lost', 'b', 'c'].map((owner) => writer.write(engine.put(key, owner)));
    open();
    expect(statuses(await Promise.allSettled([first, ...others]))).toEqual([
      ...['applied', 'OUTCOME_UNKNOWN', 'applied', 'applied'],
    ]);
    expect(await engine.entry(key)).toMatchObject({ state: 'value', row: { owner: 'c' } });
    for (const late of lost)
      expect(await engine.rows.write(late)).toMatchObject({ status: 'fenced' });
    expect(lost).toHaveLength(1);
  });

  it('W3, W17: publish nothing where the last ones of a hold are unknown; a recovery finds what was committed', async () => {
    const key = newKey();
    const [closed, open] = gate();
    const [sent, markSent] = gate();
    const rows = withMethod(engine.rows, {
      write: async (write) => {
        markSent();
        await closed;
        return engine.rows.write(write);
      },
      writeInOrder: async (writes) => {
        const results = await engine.rows.writeInOrder(writes);
        return results.map((result, index) =>
          index === 0 ? result : new LockstepError('OUTCOME_UNKNOWN', 'lost'),
        );
      },
    });
    const writer = engine.writer(rows, noRecovery);
    const first = writer.write(engine.put(key, 'unheard 1'));
    await sent;
    const others = ['unheard 2', 'unheard 3'].map((owner) => writer.write(engine.put(key, owner)));
    open();
    expect(statuses(await Promise.allSettled([first, ...others]))).toEqual([
      ...['applied', 'applied', 'OUTCOME_UNKNOWN'],
    ]);
    expect((await engine.entry(key)).state).toBe('intent');
    expect(await engine.reads.read(key)).toMatchObject({
      source: 'primary',
      row: { owner: 'unheard 3' },
    });
    await engine.recovery.recover(key, 'sweeper');
    expect(await engine.entry(key)).toMatchObject({ state: 'value', version: 3 });
  });

  it('W18: are answered only when the publish of the last one is done', async () => {
    const { key, writer, sent, open } = held();
    const first = writer.write(engine.put(key, 'published 1'));
    await sent;
    const others = [2, 3, 4].map((n) => writer.write(engine.put(key, `published ${n}`)));
    open();
    const seen = await Promise.all(
      [first, ...others].map(async (writing) => {
        const { version } = await writing;
        const { state, ...entry } = await engine.entry(key);
        return state === 'intent' || ('version' in entry && entry.version >= version);
      }),
    );
    expect(seen).toEqual([true, true, true, true]);
  });
});
