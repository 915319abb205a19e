/**
 * What every adapter must do, for the program of its README. The tests that only one of them needs are beside it.
 */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Key } from '@lockstep/client';
import { eventually } from '@lockstep/testkit/poll';
import type { DatabaseClient } from '@lockstep/testkit/servers';
import { type AdapterBed, useAdapterBed } from './bed.ts';

/** The example of an adapter's README. */
export interface Shop {
  /** A profile by its key, through the cache. */
  profile(id: number): Promise<object | null | undefined>;
  /** Changes a profile's name in a transaction that carries the invalidation. */
  rename(id: number, name: string): Promise<unknown>;
  /** Takes from an account's balance in a guarded transaction. */
  pay(id: number, amount: number): Promise<unknown>;
}

export interface OpenShop {
  shop: Shop;
  /** A profile as the ORM itself reads it, past Lockstep. */
  stored(id: number): Promise<unknown>;
  /** Calls for the invalidation in a transaction of the ORM's, which then fails with this error. */
  invalidate(resource: string, key: Key | undefined, failure?: Error): Promise<unknown>;
  /** Calls for it outside of every transaction. */
  invalidateAlone(): Promise<unknown>;
  close(): Promise<unknown>;
}

let lastId = 0;
/** No other test of the file uses it. */
export const newId = (): number => ++lastId;

export interface AdapterSuite {
  bed: () => AdapterBed;
  orm: () => OpenShop;
}

/** Starts a bed, opens the shop on it and tests it. Answers both for further tests of the same group. */
export function describeShop(
  client: DatabaseClient,
  open: (bed: AdapterBed) => Promise<OpenShop> | OpenShop,
): AdapterSuite {
  const bed = useAdapterBed(client);
  let opened: OpenShop | undefined;
  const orm = (): OpenShop => {
    if (opened === undefined) throw new Error('The shop has not been opened');
    return opened;
  };
  beforeAll(async () => {
    opened = await open(bed());
  });
  afterAll(() => opened?.close());
  const suite = { bed, orm };
  testInvalidations(suite);
  testReads(suite);
  testGuards(suite);
  return suite;
}

/** Puts a profile into the database and the cache. */
export async function cachedProfile({ plain, lockstep, state }: AdapterBed): Promise<number> {
  const id = newId();
  await plain.run(`insert into profiles (id, name, score, visits, active, seen_at, birthday, document, photo)
    values (${id}, 'Ada', 1.50, 7, true, '2026-01-02 03:04:05.678', '2001-02-03', '{"a":[1,"b"]}', 'abc')`);
  await eventually(async () => {
    await lockstep.get('profile', id);
    expect(await state(`profile:${id}`)).toBe('value');
  });
  return id;
}

async function cachedRoute({ plain, lockstep, state }: AdapterBed, key: [string, string]) {
  await plain.run(`insert into routes values ('${key[0]}', '${key[1]}', 2475)`);
  await eventually(async () => {
    await lockstep.get('route', key);
    expect(await state(`route:${key.join(':')}`)).toBe('value');
  });
}

/** The bound on what the coordinator takes is its poll; a loaded machine takes longer. */
export const isGone = (bed: AdapterBed, cacheKey: string): Promise<void> =>
  eventually(async () => expect(await bed.state(cacheKey)).not.toBe('value'));

function testInvalidations({ bed, orm }: AdapterSuite): void {
  test('W19: a write in a transaction carries its invalidation', async () => {
    const id = await cachedProfile(bed());
    await orm().shop.rename(id, 'Bea');
    await isGone(bed(), `profile:${id}`);
    expect(await bed().lockstep.get('profile', id)).toMatchObject({ value: { name: 'Bea' } });
  });

  test('W19: a transaction that rolls back takes its invalidation with it', async () => {
    const [kept, gone] = [await cachedProfile(bed()), await cachedProfile(bed())];
    const failure = new Error('the transaction fails');
    await expect(orm().invalidate('profile', kept, failure)).rejects.toThrow(failure.message);
    // Calls are carried out in their order: when this one is, the other would be.
    await orm().invalidate('profile', gone);
    await isGone(bed(), `profile:${gone}`);
    expect(await bed().state(`profile:${kept}`)).toBe('value');
  });

  test('W19: a composite key, its first part and the whole resource', async () => {
    await cachedRoute(bed(), ['JFK', 'LAX']);
    await cachedRoute(bed(), ['JFK', 'SFO']);
    await cachedRoute(bed(), ['BOS', 'LAX']);
    await orm().invalidate('route', ['JFK', 'LAX']);
    await isGone(bed(), 'route:JFK:LAX');
    expect(await bed().state('route:JFK:SFO')).toBe('value');
    await orm().invalidate('route', ['JFK']);
    await isGone(bed(), 'route:JFK:SFO');
    expect(await bed().state('route:BOS:LAX')).toBe('value');
    await orm().invalidate('route', undefined);
    await isGone(bed(), 'route:BOS:LAX');
  });

  test('an invalidation outside of a transaction is refused', async () => {
    await expect(orm().invalidateAlone()).rejects.toThrow(/transaction/);
  });

  test('a call for an unknown resource fails the transaction', async () => {
    await expect(orm().invalidate('nobody', 1)).rejects.toThrow();
  });
}

function testReads({ bed, orm }: AdapterSuite): void {
  test('a read by key is answered from the cache, with the values that the ORM gives', async () => {
    const id = await cachedProfile(bed());
    const stored = await orm().stored(id);
    // A change that nothing tells Lockstep shows where the answer is from.
    await bed().plain.run(`update profiles set visits = 8 where id = ${id}`);
    expect(await orm().shop.profile(id)).toStrictEqual(stored);
    expect(await orm().stored(id)).toMatchObject({ visits: 8 });
  });

  test('a row that is not there', async () => {
    expect((await orm().shop.profile(newId())) ?? null).toBe(null);
  });
}

function testGuards({ bed, orm }: AdapterSuite): void {
  test('W21: a strict reader never sees an old value after a guarded transaction', async () => {
    const { lockstep, plain } = bed();
    const id = newId();
    await plain.run(`insert into accounts values (${id}, 'Ada', 100)`);
    let balance = 100;
    let isPaying = true;
    const reader = (async () => {
      const seen: number[] = [];
      while (isPaying) {
        const paid = balance;
        const row = await lockstep.get('account', id);
        seen.push(Number(row?.value['balance']) - paid);
      }
      return seen;
    })();
    for (let round = 0; round < 10; round += 1) {
      await orm().shop.pay(id, 5);
      balance -= 5;
      expect(await lockstep.get('account', id)).toMatchObject({ value: { balance } });
    }
    isPaying = false;
    // No read is answered more than what was acknowledged before it began.
    expect(Math.max(...(await reader))).toBeLessThanOrEqual(0);
    expect(await lockstep.get('account', id)).toMatchObject({ version: 10 });
  });

  test('W22: a guarded transaction that fails frees its keys', async () => {
    const { lockstep, plain } = bed();
    const id = newId();
    await plain.run(`insert into accounts values (${id}, 'Ada', 9223372036854775807)`);
    // Beyond what the column holds.
    await expect(orm().shop.pay(id, -1)).rejects.toThrow();
    expect(await lockstep.put('account', id, { owner: 'Bea', balance: 1 })).toMatchObject({
      version: 1,
    });
  });
}

/** The README of an adapter shows the program that these tests run. */
export function describeReadme(folder: string): void {
  describe('the README', () => {
    test('shows the program that the tests run', async () => {
      const readme = await readFile(join(folder, 'README.md'), 'utf8');
      const example = await readFile(join(folder, 'example.ts'), 'utf8');
      expect(readme).toContain(`\`\`\`ts\n${example}\`\`\``);
    });
  });
}
