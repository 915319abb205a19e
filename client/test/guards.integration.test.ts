/** Guarded transactions of a service with a plain driver, through the client. */
import pg from 'pg';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { failureOf } from './support/heard.ts';
import { useBed } from './support/bed.ts';
import { newId } from './support/shop.ts';

const bed = useBed();

describe('a guarded transaction', () => {
  let database: pg.Client;
  beforeAll(async () => {
    database = new pg.Client({ connectionString: bed.instance.runtime.databaseUrl });
    await database.connect();
  });
  afterAll(() => database?.end());

  const rename = (id: number, owner: string) =>
    database.query('update accounts set owner = $1 where id = $2', [owner, id]);

  test('W21: is published when its work returns, and its version counts', async () => {
    const client = await bed.ready();
    const id = newId();
    await client.put('account', id, { owner: 'Ada' });
    expect(await client.get('account', id)).toMatchObject({ source: 'cache' });
    const answered = await client.guard([['account', id]], async (guard) => {
      expect(guard.keys).toMatchObject([{ resource: 'account', key: String(id), version: 1 }]);
      await database.query('begin');
      await database.query(...guard.sql('account', id, '$'));
      await rename(id, 'Bea');
      await database.query('commit');
      return 'done';
    });
    expect(answered).toBe('done');
    expect(await client.get('account', id)).toMatchObject({ version: 2, value: { owner: 'Bea' } });
    // Queries hang on the row, so the transaction has also called for its invalidation.
    await expect.poll(async () => (await client.get('account', id))?.source).toBe('cache');
  });

  test('W22: frees its keys where its work throws, and a late transaction of it fails', async () => {
    const client = await bed.ready();
    const id = newId();
    await client.put('account', id, { owner: 'Ada' });
    let statement: readonly [string, (string | number)[]] = ['', []];
    const work = client.guard([['account', id]], (guard) => {
      statement = guard.sql('account', id, '$');
      return Promise.reject(new Error('the work failed'));
    });
    expect(await failureOf(work)).toMatchObject({ message: 'the work failed' });
    expect(await failureOf(database.query(...statement))).toMatchObject({ code: 'LS409' });
    expect(await client.put('account', id, { owner: 'Cid' })).toMatchObject({ version: 2 });
  });

  test('W23: says that a transaction has committed though its work threw', async () => {
    const client = await bed.ready();
    const id = newId();
    await client.put('account', id, { owner: 'Ada' });
    const work = client.guard([['account', id]], async (guard) => {
      await database.query('begin');
      await database.query(...guard.sql('account', id, '$'));
      await rename(id, 'Bea');
      await database.query('commit');
      throw new Error('the answer was lost');
    });
    expect(await failureOf(work)).toMatchObject({
      ...{ code: 'GUARD_LOST', outcome: 'applied', details: { version: 2 } },
      cause: { message: 'the answer was lost' },
    });
    expect(await client.get('account', id)).toMatchObject({ value: { owner: 'Bea' } });
  });

  test('W23: does not believe work that has called nothing', async () => {
    const client = await bed.ready();
    const id = newId();
    const work = client.guard([['account', id]], () => Promise.resolve());
    expect(await failureOf(work)).toMatchObject({ code: 'GUARD_LOST', outcome: 'not_applied' });
  });

  test('W21: is answered where no coordinator can be told, and hidden until one knows', async () => {
    const client = await bed.ready({ timeoutMs: 1_500 });
    const direct = await bed.ready({ url: bed.instance.url });
    const id = newId();
    await client.put('account', id, { owner: 'Ada' });
    try {
      const options = { ttlMs: 3_000 };
      await client.guard(
        [['account', id]],
        async (guard) => {
          await database.query('begin');
          await database.query(...guard.sql('account', id, '$'));
          await rename(id, 'Bea');
          bed.links.coordinator.blackHole();
          await database.query('commit');
        },
        options,
      );
      expect(await direct.get('account', id)).toMatchObject({ value: { owner: 'Bea' } });
    } finally {
      bed.links.coordinator.heal();
      bed.links.coordinator.reset();
    }
    await expect.poll(async () => (await direct.get('account', id))?.source).toBe('cache');
  });

  test('refuses what cannot be guarded', async () => {
    const client = await bed.ready();
    const never = () => Promise.reject(new Error('never runs'));
    expect(await failureOf(client.guard([['profile', 1]], never))).toMatchObject({
      code: 'INVALID',
    });
    expect(await failureOf(client.guard([], never))).toMatchObject({ code: 'INVALID' });
  });
});
