import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { RowStore, RowWrite } from '../database/port.ts';
import type { Key } from '../domain/index.ts';
import { type Engine, noRecovery, openEngine, withMethod } from './testing/engine.ts';

let engine: Engine;
let ids = 100;
const nextId = (): number => (ids += 1);

beforeAll(async () => {
  engine = await openEngine();
});
afterAll(() => engine.close());

/** Rows on which `before` runs between the intent and the transaction of each try, and `after` behind its commit. */
const rowsWith = (hooks: {
  before?: (tries: number) => Promise<unknown>;
  after?: () => Promise<unknown>;
}): RowStore => {
  let tries = 0;
  const write = async (request: RowWrite): ReturnType<RowStore['write']> => {
    await hooks.before?.((tries += 1));
    const result = await engine.rows.write(request);
    if (result.status === 'applied') await hooks.after?.();
    return result;
  };
  return withMethod(engine.rows, { write });
};
const forget = (key: Key): Promise<unknown> => engine.behind.del(key.cacheKey);

describe('a strict write with verifyIntent', () => {
  it('W10: whose intent is lost before its commit is rolled back and tried anew, under a new intent', async () => {
    const key = engine.account(nextId());
    const rows = rowsWith({ before: async (tries) => tries === 1 && (await forget(key)) });
    const receipt = await engine.writer(rows, noRecovery, true).write(engine.put(key, 'kept'));
    expect(receipt).toMatchObject({ version: 1, outcome: 'applied', cache: 'fresh' });
    expect(await engine.entry(key)).toMatchObject({ state: 'value', version: 1 });
    expect((await engine.rows.read(key)).version).toBe(1);
  });

  it('W10: is not applied where the cache loses every intent', async () => {
    const key = engine.account(nextId());
    const rows = rowsWith({ before: () => forget(key) });
    await expect(
      engine.writer(rows, noRecovery, true).write(engine.put(key, 'never')),
    ).rejects.toMatchObject({ code: 'FENCED', outcome: 'not_applied' });
    expect(await engine.rows.read(key)).toMatchObject({ version: 0, row: null });
  });

  it('R5: a reader that finds the cache empty between commit and publish caches nothing older', async () => {
    const key = engine.account(nextId());
    await engine.writer(engine.rows, noRecovery, true).write(engine.put(key, 'old'));
    const read: unknown[] = [];
    const rows = rowsWith({
      after: async () => {
        await forget(key);
        read.push(await engine.verifyingReads.read(key), await engine.verifyingReads.read(key));
      },
    });
    const receipt = await engine.writer(rows, noRecovery, true).write(engine.put(key, 'new'));
    expect(read).toMatchObject([
      { version: 2, source: 'primary' },
      { version: 2, source: 'cache' },
    ]);
    expect(receipt).toMatchObject({ version: 2, cache: 'fresh' });
  });

  it('R5: a fill waits for the commit of a write whose intent was lost behind its verification', async () => {
    const key = engine.account(nextId());
    await engine.writer(engine.rows, noRecovery, true).write(engine.put(key, 'older'));
    let reading: ReturnType<Engine['reads']['read']> | undefined;
    const late: RowStore = rowsWith({});
    const write = (request: RowWrite): ReturnType<RowStore['write']> =>
      engine.rows.write({
        ...request,
        verify: async () => {
          const isThere = await request.verify?.();
          await forget(key);
          reading = engine.verifyingReads.read(key);
          await expect.poll(async () => (await engine.entry(key)).state).toBe('lease');
          return isThere === true;
        },
      });
    const rows = new Proxy(late, {
      get: (target, name): unknown => (name === 'write' ? write : Reflect.get(target, name)),
    });
    const receipt = await engine.writer(rows, noRecovery, true).write(engine.put(key, 'newer'));
    expect(receipt.version).toBe(2);
    expect(await reading).toMatchObject({ version: 2 });
    expect(await engine.verifyingReads.read(key)).toMatchObject({ row: { owner: 'newer' } });
  });
});
