/** Set-based writes through the engine: what readers see, and what comes in between. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { RowStore } from '../database/port.ts';
import {
  type Key,
  LockstepError,
  type Resource,
  type RowFilter,
  type SetRequest,
} from '../domain/index.ts';
import { type Engine, openEngine, withMethod } from './testing/engine.ts';

let engine: Engine;
let ids = 100;
const nextId = (): number => (ids += 1);
beforeAll(async () => {
  engine = await openEngine();
});
afterAll(() => engine.close());

/** Rows whose owner begins so: `PREFIX-ID`. */
async function rowsOf(make: (id: number) => Key, prefix: string, count: number): Promise<Key[]> {
  const keys = Array.from({ length: count }, () => make(nextId()));
  for (const key of keys) await engine.writer().write(engine.put(key, `${prefix}-${key.text}`));
  return keys;
}
function ownersIn(resource: Resource, keys: readonly Key[], prefix: string): RowFilter {
  const column = resource.columns.find(({ name }) => name === 'owner');
  const [first = '', ...rest] = keys.map(({ text }) => `${prefix}-${text}`);
  if (column === undefined) throw new Error('no column owner');
  return [{ column, is: '$in', values: [first, ...rest] }];
}
const setOf = (
  name: string,
  keys: readonly Key[],
  prefix: string,
  rest: Partial<SetRequest> = {},
) => ({
  resource: engine.resource(name),
  where: ownersIn(engine.resource(name), keys, prefix),
  change: { op: 'patch' as const, set: {}, increment: { balance: '5' } },
  most: 10,
  ...rest,
});
const texts = (keys: readonly Key[]): string[] => keys.map(({ text }) => text);
const balanceOf = async (key: Key): Promise<unknown> =>
  (await engine.reads.read(key)).row?.['balance'];

describe('a set', () => {
  it('W24: changes every row that matches, each as a write of its key', async () => {
    const keys = await rowsOf(engine.account, 'w', 3);
    const [other] = await rowsOf(engine.account, 'x', 1);
    const { receipts, replayed } = await engine.writer().writeSet(setOf('account', keys, 'w'));
    expect(replayed).toBe(false);
    expect(texts(receipts.map(({ key }) => key))).toEqual(texts(keys));
    expect(receipts).toMatchObject(keys.map(() => ({ version: 2, cache: 'fresh' })));
    for (const key of keys)
      expect(await engine.entry(key)).toMatchObject({ state: 'value', version: 2 });
    expect(await Promise.all([...keys, other ?? engine.account(0)].map(balanceOf))).toEqual([
      ...[5, 5, 5, 0],
    ]);
  });

  it('W24: deletes them, and leaves an invalidation where the resource is not strict', async () => {
    const keys = await rowsOf(engine.note, 'd', 2);
    for (const key of keys) await engine.reads.read(key);
    const change = { op: 'delete' as const };
    const { receipts } = await engine.writer().writeSet(setOf('note', keys, 'd', { change }));
    expect(receipts).toMatchObject(keys.map(() => ({ version: 2, cache: 'invalidated' })));
    for (const key of keys) expect((await engine.reads.read(key)).row).toBeNull();
  });

  it('answers none where nothing matches', async () => {
    const [key] = await rowsOf(engine.account, 'n', 1);
    const set = setOf('account', key === undefined ? [] : [key], 'another');
    expect(await engine.writer().writeSet(set)).toEqual({ receipts: [], replayed: false });
  });

  it('W25: refuses more rows than the bound, and changes none', async () => {
    const keys = await rowsOf(engine.account, 'm', 3);
    const refused = engine.writer().writeSet(setOf('account', keys, 'm', { most: 2 }));
    await expect(refused).rejects.toMatchObject({
      ...{ code: 'TOO_LARGE', outcome: 'not_applied' },
      message: expect.stringContaining('at most 2') as string,
    });
    expect(await Promise.all(keys.map(balanceOf))).toEqual([0, 0, 0]);
  });

  it.each(['account', 'note'] as const)(
    'W24: leaves out a row of %s that was changed after it was found, and changes the others',
    async (name) => {
      const keys = await rowsOf(name === 'account' ? engine.account : engine.note, 'c', 3);
      const [, moved] = keys;
      if (moved === undefined) throw new Error('no row');
      const meanwhile: RowStore['findKeys'] = async (...asked) => {
        const found = await engine.rows.findKeys(...asked);
        await engine.writer().write(engine.put(moved, `moved-${moved.text}`));
        return found;
      };
      const writer = engine.writer(withMethod(engine.rows, { findKeys: meanwhile }));
      const { receipts } = await writer.writeSet(setOf(name, keys, 'c'));
      expect(texts(receipts.map(({ key }) => key))).toEqual(
        texts(keys.filter((key) => key !== moved)),
      );
      expect(await Promise.all(keys.map(balanceOf))).toEqual([5, 0, 5]);
      expect((await engine.entry(moved)).state).not.toBe('intent');
    },
  );

  it('W24: is applied whole or not at all; the refusal names the row, and no intent stays', async () => {
    const keys = await rowsOf(engine.account, 'r', 3);
    const set = setOf('account', keys, 'r', {
      change: { op: 'patch', set: { owner: `taken-${keys[0]?.text}` }, increment: {} },
    });
    const refused = engine.writer().writeSet(set);
    await expect(refused).rejects.toMatchObject({
      ...{ code: 'CONSTRAINT', outcome: 'not_applied' },
      message: expect.stringMatching(/^Row \d+: The database refused/) as string,
    });
    for (const key of keys) {
      expect((await engine.entry(key)).state).not.toBe('intent');
      expect((await engine.reads.read(key)).row?.['owner']).toBe(`r-${key.text}`);
    }
  });

  it('is answered again for its idempotency key, also where its rows do not match any more', async () => {
    const keys = await rowsOf(engine.account, 'i', 2);
    const idempotency = { key: `set ${keys[0]?.text}`, requestHash: 'x' };
    const change = {
      ...{ op: 'patch' as const, increment: { balance: '5' } },
      set: {},
    };
    const first = await engine
      .writer()
      .writeSet(setOf('account', keys, 'i', { idempotency, change }));
    await engine.execute(`update accounts set owner = 'gone-' || id where owner like 'i-%'`);
    const again = await engine
      .writer()
      .writeSet(setOf('account', keys, 'i', { idempotency, change }));
    expect(again.replayed).toBe(true);
    expect(again.receipts.map(({ key, version }) => [key.text, version])).toEqual(
      first.receipts.map(({ key, version }) => [key.text, version]),
    );
    const other = setOf('account', keys, 'i', {
      idempotency: { ...idempotency, requestHash: 'another' },
    });
    await expect(engine.writer().writeSet(other)).rejects.toMatchObject({
      code: 'IDEMPOTENCY_KEY_REUSED',
    });
  });

  it('is applied once by two repeats at the same time', async () => {
    const keys = await rowsOf(engine.account, 't', 2);
    const idempotency = { key: `twice ${keys[0]?.text}`, requestHash: 'x' };
    const set = setOf('account', keys, 't', {
      idempotency,
      change: { op: 'patch', set: {}, increment: { balance: '1' } },
    });
    const both = await Promise.all([engine.writer().writeSet(set), engine.writer().writeSet(set)]);
    expect(both.map(({ receipts }) => receipts.map(({ version }) => version))).toEqual([
      [2, 2],
      [2, 2],
    ]);
    expect(await Promise.all(keys.map(balanceOf))).toEqual([1, 1]);
  });

  it('W24: many sets and single writes of the same rows at once lose no update', async () => {
    const keys = await rowsOf(engine.account, 'b', 3);
    const set = setOf('account', keys, 'b', { waitTimeoutMs: 20_000 });
    const single = keys.map((key) => ({
      ...{ key, change: { op: 'patch' as const, set: {}, increment: { balance: '1' } } },
      waitTimeoutMs: 20_000,
    }));
    await Promise.all([
      ...Array.from({ length: 6 }, () => engine.writer().writeSet(set)),
      ...single.map((write) => engine.writer().write(write)),
    ]);
    expect(await Promise.all(keys.map(balanceOf))).toEqual([31, 31, 31]);
    for (const key of keys)
      expect(await engine.entry(key)).toMatchObject({ state: 'value', version: 8 });
  });

  it('whose outcome is unknown leaves its intents to recovery', async () => {
    const keys = await rowsOf(engine.account, 'u', 2);
    const lost = withMethod(engine.rows, {
      writeTogether: async (transaction) => {
        await engine.rows.writeTogether(transaction);
        throw new LockstepError('OUTCOME_UNKNOWN', 'no answer');
      },
    });
    await expect(engine.writer(lost).writeSet(setOf('account', keys, 'u'))).rejects.toMatchObject({
      code: 'OUTCOME_UNKNOWN',
      outcome: 'unknown',
    });
    expect(await Promise.all(keys.map(balanceOf))).toEqual([5, 5]);
  });
});
