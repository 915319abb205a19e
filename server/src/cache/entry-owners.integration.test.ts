import { Redis } from 'ioredis';
import { decodeEntry } from '@lockstep/shared';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { systemRuntime } from '../runtime/index.ts';
import { startRedis, type TestRedis } from '@lockstep/testkit/servers';
import { CacheConnection, RedisEntryStore } from './index.ts';

const quiet = { debug: () => {}, info: () => {}, warn: () => {}, error: () => {} };
const runtime = systemRuntime(quiet);
const ROW = { id: 1 };
const value = (version: number) => ({ version, row: ROW, ttlMs: 60_000 });

let server: TestRedis;
let connection: CacheConnection;
let behind: Redis;
let key = '';
let made = 0;
let foreign: string[] = [];

function storeOf(owner: string): RedisEntryStore {
  const options = {
    leaseTtlMs: 3_000,
    tombstoneTtlMs: 60_000,
    isEntryKey: (cacheKey: string) => cacheKey.startsWith('account:'),
    ownerOf: () => owner,
    onForeign: (_: string, whose: string) => void foreign.push(whose),
  };
  return new RedisEntryStore(connection, options, runtime);
}

beforeAll(async () => {
  server = await startRedis();
  behind = new Redis(server.url);
  connection = new CacheConnection({ url: server.url, commandTimeoutMs: 5_000, runtime });
  await connection.ready(10_000);
});
afterAll(async () => {
  connection.close();
  behind.disconnect();
  await server.stop();
});
beforeEach(() => {
  key = `account:${(made += 1)}`;
  foreign = [];
});

async function filled(store: RedisEntryStore): Promise<void> {
  expect(await store.leaseOrRead(key, 'a')).toMatchObject({ state: 'leased' });
  expect(await store.fill(key, 'a', value(3))).toBe('filled');
}

describe('an entry says whose it is', () => {
  it('K3: another cluster’s is none: it is not answered, invalidated or published over, and a lease takes its place', async () => {
    const [ours, theirs] = [storeOf('one/account'), storeOf('two/account')];
    await filled(theirs);
    const text = await behind.get(key);
    expect(text).toContain('"o":"two/account"');
    expect(await ours.read(key)).toBeNull();
    expect(await ours.readMany([key])).toEqual([null]);
    expect(foreign).toEqual(['two/account', 'two/account']);
    await ours.invalidate(key, null);
    await ours.publish(key, { intentId: 'x', fence: 1 }, 9, value(9));
    expect(await ours.invalidateIfUnchanged(key, text ?? '')).toBe(false);
    expect(await behind.get(key)).toBe(text);
    await filled(ours);
    expect(await theirs.read(key)).toBeNull();
    expect((await ours.read(key))?.entry).toMatchObject({ state: 'value', owner: 'one/account' });
  });

  it('K3: another resource’s is none, but its write intent hides what is there', async () => {
    const [account, renamed] = [storeOf('one/account'), storeOf('one/renamed')];
    await filled(account);
    expect(await renamed.read(key)).toBeNull();
    // Until a coordinator has followed a change of the configuration, the two may be names of one row.
    await renamed.invalidate(key, null);
    expect((await renamed.read(key))?.entry.state).toBe('tombstone');
    await account.placeIntent(key, 'intent', 0);
    expect((await renamed.read(key))?.entry.state).toBe('intent');
    expect(await renamed.leaseOrRead(key, 'b')).toMatchObject({ state: 'found' });
  });

  it('takes an entry that says nothing for its own', async () => {
    await behind.set(key, '{"s":"value","v":4,"f":1,"t":1}\n{"id":1}');
    expect((await storeOf('one/account').read(key))?.entry).toMatchObject({ version: 4 });
  });

  it('a bare key is deleted, unless an entry stands there', async () => {
    const bare = `page:${made}`;
    await behind.set(bare, 'html');
    await storeOf('').invalidate(bare, null);
    expect(await behind.exists(bare)).toBe(0);
    await behind.set(bare, '{"s":"intent","v":4,"f":1,"t":1,"i":"a","o":"one/new"}\nnull');
    await storeOf('').invalidate(bare, null);
    expect(decodeEntry((await behind.get(bare)) ?? '')).toMatchObject({
      state: 'intent',
      marked: true,
    });
  });
});

describe('K3: what somebody else wrote there', () => {
  const forged = [
    '{"s":"intent","v":1,"f":1e308,"t":1}\nnull',
    '{"s":"intent","v":1,"f":9007199254740991,"t":1}\nnull',
    '{"s":"intent","v":1,"f":9006099743113217,"t":1}\nnull',
    '{"s":"intent","v":1,"f":-1,"t":1}\nnull',
    '{"s":"intent","v":1e400,"f":1,"t":1}\nnull',
    '{"s":"intent","v":1,"f":1,"t":9e15,"i":"x"}\nnull',
    '{"s":"intent","v":1,"f":1,"t":1,"i":{"a":1}}\nnull',
    '{"s":"intent","v":1,"f":1,"t":1,"i":"a\\"b"}\nnull',
    '{"s":"lease","v":1,"f":1,"t":1,"l":[1]}\nnull',
    '{"s":"lease","v":1,"f":1,"t":1,"l":null}\nnull',
    '{"s":"tombstone","v":1,"f":1,"t":1,"p":{"x":1}}\nnull',
    '{"s":"value","v":{},"f":[],"t":null}\n{}',
    '{"s":"nothing","v":1,"f":1,"t":1}\n{}',
    `${'{"a":'.repeat(20_000)}\n{}`,
    '[1,2]\n{}',
    '\n',
    'null\nnull',
  ];

  it.each(forged)('never fails a step or keeps a key from being written: %s', async (text) => {
    const store = storeOf('one/account');
    const steps: (() => Promise<unknown>)[] = [
      () => store.read(key),
      () => store.leaseOrRead(key, 'a'),
      () => store.invalidate(key, 2),
      () => store.invalidate(key, null),
      () => store.intentAgeMs(key, { intentId: 'x', fence: 1 }),
      () => store.publish(key, { intentId: 'x', fence: 5 }, 2, value(2)),
      () => store.withdrawIntent(key, { intentId: 'x', fence: 5 }, 2),
      () => store.invalidateIfUnchanged(key, text),
    ];
    for (const step of steps) {
      await behind.set(key, text);
      await step();
    }
    await behind.set(key, text);
    let fence = 0;
    for (let count = 0; count < 3; count += 1) {
      const intent = await store.placeIntent(key, `intent-${count}`, fence);
      expect(intent.fence).toBeGreaterThan(fence);
      expect(await store.publish(key, intent, count + 1, value(count + 1))).toBe('fresh');
      ({ fence } = intent);
    }
  });

  it('an intent from a time that has not come is recovered', async () => {
    await behind.set(key, '{"s":"intent","v":1,"f":1,"t":9e15,"i":"x"}\nnull');
    const ageMs = await storeOf('').intentAgeMs(key, { intentId: 'x', fence: 1 });
    expect(ageMs).toBeGreaterThan(600_000);
  });
});
