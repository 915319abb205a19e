import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { RowStore } from '../database/port.ts';
import { LockstepError } from '../domain/index.ts';
import { type Engine, openEngine, withMethod } from './testing/engine.ts';

let engine: Engine;
let lastId = 70_000;

beforeAll(async () => {
  engine = await openEngine();
});
afterAll(() => engine.close());

const newKey = () => engine.account((lastId += 1));

/** Rows whose writes pass a gate one after the other. */
function gated(before: (turn: number) => Promise<void>): RowStore {
  let turns = 0;
  return withMethod(engine.rows, {
    write: async (write) => {
      await before((turns += 1));
      return engine.rows.write(write);
    },
  });
}

describe('writes of one key that follow one another', () => {
  it('W1, W8, W9: keep an intent from the first to the last, whose value is published', async () => {
    const key = newKey();
    const states: string[] = [];
    const rows = gated(async () => void states.push((await engine.entry(key)).state));
    const writer = engine.writer(rows);
    const receipts = await Promise.all(
      Array.from({ length: 40 }, (_, index) => writer.write(engine.put(key, `owner ${index}`))),
    );
    expect(receipts.map(({ version }) => version)).toEqual(receipts.map((_, index) => index + 1));
    expect(new Set(states)).toEqual(new Set(['intent']));
    expect(receipts.filter(({ cache }) => cache === 'invalidated').length).toBeGreaterThan(30);
    expect(receipts.at(-1)?.cache).toBe('fresh');
    expect(await engine.entry(key)).toMatchObject({ state: 'value', version: 40 });
    const fences = receipts.map(({ fence }) => fence ?? 0);
    expect(fences).toEqual([...fences].sort((one, other) => one - other));
    expect(new Set(fences).size).toBe(40);
  });

  it('W9, E6: end the intent of a follower that went away, by a tombstone', async () => {
    const key = newKey();
    let open = (): void => undefined;
    const gate = new Promise<void>((resolve) => (open = resolve));
    const writer = engine.writer(gated(() => gate));
    const first = writer.write(engine.put(key, 'first'));
    const second = writer.write({ ...engine.put(key, 'second'), waitTimeoutMs: 150 });
    await expect(second).rejects.toMatchObject({ code: 'LOCK_TIMEOUT', outcome: 'not_applied' });
    open();
    expect(await first).toMatchObject({ version: 1, cache: 'invalidated' });
    expect(await engine.entry(key)).toMatchObject({ state: 'tombstone', version: 1 });
    expect(await engine.reads.read(key)).toMatchObject({ row: { owner: 'first' } });
  });

  it('W2, W3: lose nothing where one in the middle is refused or its outcome is unknown', async () => {
    const [key, taken] = [newKey(), newKey()];
    await engine.writer().write(engine.put(taken, 'somebody'));
    const rows = gated((turn) =>
      turn === 4 ? Promise.reject(new LockstepError('OUTCOME_UNKNOWN', 'lost')) : Promise.resolve(),
    );
    const writer = engine.writer(rows);
    const owners = ['a', 'somebody', 'b', 'lost', 'c', 'd'];
    const ends = await Promise.allSettled(
      owners.map((owner) => writer.write(engine.put(key, owner))),
    );
    expect(ends.map(({ status }) => status)).toEqual(
      owners.map((owner) => (owner === 'somebody' || owner === 'lost' ? 'rejected' : 'fulfilled')),
    );
    await expect.poll(async () => (await engine.entry(key)).state).toBe('value');
    expect(await engine.reads.read(key)).toMatchObject({ row: { owner: 'd' }, version: 4 });
  });
});
