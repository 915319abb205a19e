import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { LockstepError, makeKey, type WriteReceipt } from '../domain/index.ts';
import { type Engine, noRecovery, openEngine, unheard, withMethod } from './testing/engine.ts';

let engine: Engine;
let owners = 0;

beforeAll(async () => {
  engine = await openEngine();
});
afterAll(() => engine.close());

type Writer = ReturnType<Engine['writer']>;

/** As the API inserts a row. */
async function insert(
  name: 'ticket' | 'slip',
  owner = `owner ${++owners}`,
  { writer = engine.writer(), idempotencyKey }: { writer?: Writer; idempotencyKey?: string } = {},
): Promise<WriteReceipt> {
  const row = { resource: engine.resource(name), parts: {}, set: { owner } };
  const idempotency =
    idempotencyKey === undefined
      ? {}
      : { idempotency: { key: idempotencyKey, requestHash: `insert ${owner}` } };
  const { keys, areRepeated } = await writer.newKeys({ rows: [row], ...idempotency });
  const [key] = keys;
  if (key === undefined) throw new Error('no key');
  const change = { op: 'put', set: row.set, onlyCreate: true } as const;
  const isNew = areRepeated ? {} : { isNewKey: true as const };
  return writer.write({ key, change, ...idempotency, ...isNew });
}

/** The row that will be inserted next: no other test of this file runs meanwhile. */
async function nextKey(name: 'ticket' | 'slip') {
  const { key } = await insert(name);
  return makeKey(engine.resource(name), [String(Number(key.text) + 1)]);
}

describe('an insert whose key the database makes', () => {
  it('W15, E9: hides the absence of the row, which a reader has cached, before its commit', async () => {
    const key = await nextKey('ticket');
    expect(await engine.reads.read(key)).toMatchObject({ row: null });
    expect(await engine.entry(key)).toMatchObject({ state: 'value', row: null });
    let atCommit = '';
    const watched = withMethod(engine.rows, {
      write: async (write) => {
        atCommit = (await engine.entry(write.key)).state;
        return engine.rows.write(write);
      },
    });
    const receipt = await insert('ticket', undefined, { writer: engine.writer(watched) });
    expect(receipt.key.text).toBe(key.text);
    expect(atCommit).toBe('intent');
    expect(receipt).toMatchObject({ created: true, version: 1, cache: 'fresh' });
    expect(await engine.reads.read(key)).toMatchObject({ source: 'cache', version: 1 });
  });

  it('W9: of another policy removes the absence that a reader has cached', async () => {
    const key = await nextKey('slip');
    expect(await engine.reads.read(key)).toMatchObject({ row: null });
    const receipt = await insert('slip');
    expect(receipt).toMatchObject({ created: true, version: 1, cache: 'invalidated', fence: null });
    expect(receipt.key.text).toBe(key.text);
    expect(await engine.reads.read(key)).toMatchObject({ source: 'primary', version: 1 });
  });

  it.each(['ticket', 'slip'] as const)(
    'W15, W6: of %s that is repeated answers the first row',
    async (name) => {
      const first = await insert(name, 'repeated', { idempotencyKey: `again-${name}` });
      const again = await insert(name, 'repeated', { idempotencyKey: `again-${name}` });
      expect(again).toMatchObject({ replayed: true, created: true, version: 1 });
      expect(again.key.text).toBe(first.key.text);
      expect(again.value).toEqual(first.value);
      await expect(
        insert(name, 'another', { idempotencyKey: `again-${name}` }),
      ).rejects.toMatchObject({
        code: 'IDEMPOTENCY_KEY_REUSED',
      });
    },
  );

  it.each(['ticket', 'slip'] as const)(
    'W15, W6: of %s that is sent many times at once is applied once, and all answers name its row',
    async (name) => {
      const calls = Array.from({ length: 12 }, () =>
        insert(name, 'at once', { idempotencyKey: `at-once-${name}` }),
      );
      const receipts = await Promise.all(calls);
      expect(receipts.filter(({ replayed }) => !replayed)).toHaveLength(1);
      expect(new Set(receipts.map(({ key }) => key.text)).size).toBe(1);
      expect(new Set(receipts.map(({ value }) => JSON.stringify(value))).size).toBe(1);
      const [first] = receipts;
      expect(await engine.reads.read(first?.key ?? engine.note(0))).toMatchObject({
        row: { owner: 'at once' },
        version: 1,
      });
    },
  );

  it('W6: that was refused is refused again, with nothing applied in between', async () => {
    await insert('ticket', 'taken');
    const refused = { code: 'CONSTRAINT', outcome: 'not_applied' };
    const call = () => insert('ticket', 'taken', { idempotencyKey: 'refused' });
    await expect(call()).rejects.toMatchObject(refused);
    await engine.execute(`delete from tickets where owner = 'taken'`);
    await expect(call()).rejects.toMatchObject(refused);
  });

  it('W3, W6: whose commit got no answer is found by a repeat, with the key that it has', async () => {
    const lost = engine.writer(unheard(engine.rows), noRecovery);
    const options = { writer: lost, idempotencyKey: 'unheard' };
    await expect(insert('ticket', 'unheard', options)).rejects.toMatchObject({
      code: 'OUTCOME_UNKNOWN',
    });
    const again = await insert('ticket', 'unheard', { idempotencyKey: 'unheard' });
    expect(again).toMatchObject({ replayed: true, version: 1, value: { owner: 'unheard' } });
    expect((await engine.entry(again.key)).state).toBe('intent');
    await engine.recovery.recover(again.key, 'sweeper');
    expect(await engine.entry(again.key)).toMatchObject({ state: 'value', version: 1 });
  });

  it('whose coordinator ends between the key and the write leaves nothing but a gap', async () => {
    const died = withMethod(engine.rows, {
      write: () => Promise.reject(new LockstepError('DATABASE_UNAVAILABLE', 'ended')),
    });
    const key = await nextKey('slip');
    await expect(insert('slip', 'gone', { writer: engine.writer(died) })).rejects.toThrow();
    expect(await engine.rows.read(key)).toEqual({ version: 0, fence: 0, row: null });
    const { key: next } = await insert('slip', 'gone');
    expect(Number(next.text)).toBe(Number(key.text) + 1);
  });

  it('goes on beside many others, each with a row of its own', async () => {
    const receipts = await Promise.all(Array.from({ length: 30 }, () => insert('ticket')));
    expect(new Set(receipts.map(({ key }) => key.text)).size).toBe(30);
    for (const { key, value } of receipts)
      expect((await engine.reads.read(key)).row).toEqual(value);
  });
});
