import { describe, expect, test } from 'vitest';
import { eventually } from '@lockstep/testkit/poll';
import { ExactNumber, LockstepError } from '../src/index.ts';
import { type Bed, useBed } from './support/bed.ts';
import { failureOf, heard } from './support/heard.ts';
import { newId } from './support/shop.ts';

const bed = useBed();

/** Runs it while no coordinator can be reached. */
async function withoutCoordinator<T>({ links }: Bed, work: () => Promise<T>): Promise<T> {
  links.coordinator.accept('refuse');
  links.coordinator.reset();
  try {
    return await work();
  } finally {
    links.coordinator.heal();
  }
}

describe('a read', () => {
  test('RP4: is answered from the cache itself, with the row that was written', async () => {
    const client = await bed.ready();
    const id = newId();
    const written = await client.put('account', id, { owner: 'Ada', balance: 5 });
    expect(written).toMatchObject({
      version: 1,
      created: true,
      outcome: 'applied',
      cache: 'fresh',
    });
    await withoutCoordinator(bed, async () => {
      const read = await client.get('account', id);
      expect(read).toEqual({
        version: 1,
        source: 'cache',
        value: { id, owner: 'Ada', balance: 5 },
      });
      // Another spelling of a key is the coordinator's business.
      expect(await failureOf(client.get('account', `0${id}`))).toMatchObject({
        code: 'COORDINATOR_UNAVAILABLE',
      });
    });
  });

  test('RP4: of a key without a row answers null, and then from its negative entry', async () => {
    const client = await bed.ready();
    const id = newId();
    expect(await client.get('profile', id)).toBeNull();
    await withoutCoordinator(bed, async () => expect(await client.get('profile', id)).toBeNull());
  });

  test('RP3: of an intent or a miss is answered by the coordinator, which fills the cache', async () => {
    const client = await bed.ready();
    const id = newId();
    await client.put('account', id, { owner: 'Ada' });
    const entry = (await bed.redis.get(`account:${id}`)) ?? '';
    await bed.redis.del(`account:${id}`);
    expect(await client.get('account', id)).toMatchObject({ source: 'primary', version: 1 });
    expect(await client.get('account', id)).toMatchObject({ source: 'cache', version: 1 });
    const intent = entry.replace('"s":"value"', '"s":"intent"').replace(/\n.*/, '\nnull');
    await bed.redis.set(`account:${id}`, intent);
    const reads = await heard('lockstep:read', async () =>
      expect(await client.get('account', id)).toMatchObject({ source: 'primary' }),
    );
    expect(reads).toEqual([{ resource: 'account', from: 'coordinator', reason: 'intent' }]);
  });

  test.each([
    [
      'RP5: of another cluster',
      'foreign',
      (text: string) => text.replace(/"o":"[^/]*/, '"o":"other'),
    ],
    ['RP5: of other columns', 'foreign', (text: string) => text.replace(/#[0-9a-f]*/, '#ffff')],
    ['RP6: that is no entry', 'corrupt', () => 'something else'],
    ['RP6: that was cut off', 'corrupt', (text: string) => text.slice(0, -2)],
  ])('of an entry %s is answered by the coordinator', async (_, reason, broken) => {
    const client = await bed.ready();
    const id = newId();
    await client.put('profile', id, { name: 'Ada' });
    await client.get('profile', id);
    const text = (await bed.redis.get(`profile:${id}`)) ?? '';
    await bed.redis.set(`profile:${id}`, broken(text.replace('Ada', 'Eve')));
    const reads = await heard('lockstep:read', async () =>
      expect(await client.get('profile', id)).toMatchObject({ value: { name: 'Ada' } }),
    );
    expect(reads).toMatchObject([{ from: 'coordinator', reason }]);
  });

  test('RP6: of a row that is no JSON fails by name, and the next one is answered by the coordinator', async () => {
    const client = await bed.ready();
    const id = newId();
    await client.put('profile', id, { name: 'Ada' });
    await client.get('profile', id);
    const text = (await bed.redis.get(`profile:${id}`)) ?? '';
    await bed.redis.set(`profile:${id}`, text.replace('"Ada"', 'Ada'));
    const read = await client.get('profile', id);
    expect(() => read?.value).toThrow(LockstepError);
    expect(await client.get('profile', id)).toMatchObject({ value: { name: 'Ada' } });
  });

  test('RP6: of a list under an entry’s key does not fail its neighbours', async () => {
    const client = await bed.ready();
    const [id, other] = [newId(), newId()];
    await client.put('profile', id, { name: 'Ada' });
    await client.put('profile', other, { name: 'Grace' });
    await client.getMany('profile', [id, other]);
    await bed.redis.del(`profile:${id}`);
    await bed.redis.rpush(`profile:${id}`, 'x');
    const found = await client.getMany('profile', [id, other]);
    expect(found[0]).toMatchObject({ value: { name: 'Ada' }, source: 'primary' });
    expect(found[1]).toMatchObject({ value: { name: 'Grace' }, source: 'cache' });
  });

  test('RP2: of a composite key, of a query and of a key that only the coordinator can spell', async () => {
    const client = await bed.ready();
    const owner = `o:${newId()}%`;
    const id = newId();
    await client.put('part', ['eu:north', 'a,b%'], { stock: 3 });
    await client.put('account', id, { owner, balance: 7 });
    await client.put('day', '2026-01-02', { note: 'n' });
    await client.get('owner-accounts', owner);
    await client.get('day', '2026-1-2').catch(() => undefined);
    await withoutCoordinator(bed, async () => {
      expect(await client.get('part', ['eu:north', 'a,b%'])).toMatchObject({ value: { stock: 3 } });
      expect(await client.get('owner-accounts', owner)).toEqual({
        ...{ version: null, source: 'cache', value: [{ id, balance: 7 }] },
      });
      expect(await failureOf(client.get('day', '2026-01-02'))).toMatchObject({
        code: 'COORDINATOR_UNAVAILABLE',
      });
    });
    expect(await client.get('day', '2026-01-02')).toMatchObject({ value: { note: 'n' } });
  });

  test('of many keys keeps their order, in one command and one request', async () => {
    const client = await bed.ready();
    const ids = Array.from({ length: 20 }, newId);
    await Promise.all(ids.map((id, n) => client.put('account', id, { owner: 'Ada', balance: n })));
    const cold = ids.filter((_, n) => n % 3 === 0);
    await bed.redis.del(cold.map((id) => `account:${id}`));
    const missing = newId();
    const asked = [...ids, missing, ids[1] ?? 0];
    const before = await commands(bed);
    const batches = await heard('lockstep:batch', async () => {
      const found = await client.getMany('account', asked);
      expect(found.map((row) => row && Number(row.value['balance']))).toEqual([
        ...ids.map((_, n) => n),
        null,
        1,
      ]);
      expect(found.filter((row) => row?.source === 'cache')).toHaveLength(21 - cold.length);
    });
    expect(batches).toMatchObject([{ kind: 'reads', operations: cold.length + 1 }]);
    expect((await commands(bed)).mget - before.mget).toBe(1);
  });

  test('of one tick travels with the others', async () => {
    const client = await bed.ready();
    const ids = Array.from({ length: 8 }, newId);
    await Promise.all(ids.map((id) => client.put('account', id, { owner: 'Ada' })));
    // Connections of the coordinator and of other clients may send a command of their own in between.
    await expect
      .poll(async () => {
        const before = await commands(bed);
        const found = await Promise.all(ids.map((id) => client.get('account', id)));
        expect(found.map((row) => row?.source)).toEqual(ids.map(() => 'cache'));
        const after = await commands(bed);
        return [after.mget - before.mget, after.getex - before.getex];
      })
      .toEqual([1, 1]);
  });

  test('RP11: changes nothing in the cache', async () => {
    const client = await bed.ready();
    const ids = [newId(), newId()];
    await Promise.all(ids.map((id) => client.put('account', id, { owner: 'Ada' })));
    const texts = await bed.redis.mget(ids.map((id) => `account:${id}`));
    const ttlMs = await bed.redis.pttl(`account:${ids[0]}`);
    await client.getMany('account', ids);
    await client.get('account', ids[0] ?? 0);
    expect(await bed.redis.mget(ids.map((id) => `account:${id}`))).toEqual(texts);
    expect(await bed.redis.pttl(`account:${ids[0]}`)).toBeLessThanOrEqual(ttlMs);
  });

  test('of the primary goes past the cache, and one with minVersion answers nothing older', async () => {
    const client = await bed.ready();
    const id = newId();
    await client.put('profile', id, { name: 'Ada' });
    await client.get('profile', id);
    expect(await client.get('profile', id, { consistency: 'primary' })).toMatchObject({
      source: 'primary',
    });
    expect(await failureOf(client.get('profile', id, { minVersion: 9 }))).toMatchObject({
      code: 'VERSION_MISMATCH',
      details: { currentVersion: 1 },
    });
  });

  test('keeps every digit of a number in a document', async () => {
    const client = await bed.ready();
    const id = newId();
    const notes = { n: new ExactNumber('12345678901234567890'), price: new ExactNumber('1.10') };
    await client.put('profile', id, { name: 'Ada', notes });
    await client.get('profile', id);
    const direct = await client.get('profile', id);
    expect(direct).toMatchObject({ source: 'cache', value: { notes } });
  });

  test('of an unknown resource is refused with a code', async () => {
    const client = await bed.ready();
    const error = await failureOf(client.get('nothing', 1));
    expect(error).toBeInstanceOf(LockstepError);
    expect(error).toMatchObject({ code: 'UNKNOWN_RESOURCE', status: 404, retryable: false });
  });

  test('of a number that JavaScript cannot hold exactly is refused', async () => {
    const client = await bed.ready();
    expect(await failureOf(client.get('account', 2 ** 60))).toMatchObject({ code: 'INVALID' });
    await eventually(async () => expect(await client.get('account', 2n ** 60n)).toBeNull());
  });
});

/** How often the cache was asked so far. */
async function commands({ redis }: Bed): Promise<{ mget: number; getex: number }> {
  const info = await redis.info('commandstats');
  const calls = (name: string): number =>
    Number(new RegExp(`cmdstat_${name}:calls=(\\d+)`).exec(info)?.[1] ?? 0);
  return { mget: calls('mget'), getex: calls('getex') };
}
