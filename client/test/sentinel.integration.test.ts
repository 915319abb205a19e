import { encodeEntry } from '@lockstep/shared/for-clients';
import { eventually } from '@lockstep/testkit/poll';
import { startSentinelSet, type TestSentinelSet } from '@lockstep/testkit/servers';
import { Redis } from 'ioredis';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type Client, createClient } from '../src/index.ts';
import { startStub, stubResource, type StubCoordinator } from './support/stub-coordinator.ts';

const { owner } = stubResource();
const FAILOVER = { withinMs: 120_000, everyMs: 200 };

let set: TestSentinelSet;
let stub: StubCoordinator;
let theirs: Redis;
let client: Client;

beforeAll(async () => {
  set = await startSentinelSet();
  theirs = new Redis({
    sentinels: set.sentinels.map(({ port }) => ({ host: '127.0.0.1', port })),
    sentinelPassword: new URL(set.sentinels[0]?.url ?? '').password,
    name: set.name,
    password: set.password,
    failoverDetector: true,
  });
  theirs.on('error', () => undefined);
  const value = { state: 'value', version: 1, fence: 1, writtenAtMs: 1, owner } as const;
  await theirs.set('account:1', encodeEntry({ ...value, row: { id: 1, owner: 'o1' } }));
  await theirs.set('lockstep:server', 'cache-1');
  await theirs.wait(2, 30_000);
  stub = await startStub((_path, body) => {
    const { operations } = body as { operations: { key: number }[] };
    const results = operations.map(({ key }) => ({
      ...{ status: 200, resource: 'account', key: String(key), version: 1 },
      ...{ value: { id: key, owner: 'o1' }, source: 'primary', token: 't' },
    }));
    return { body: { results } };
  });
  client = createClient({ url: stub.url, redis: theirs });
  await client.ready({ timeoutMs: 30_000 });
});
afterAll(async () => {
  await client.close();
  theirs.disconnect();
  await stub.close();
  await set.stop();
});

const expectFromCache = async (): Promise<void> =>
  expect(await client.get('account', 1)).toMatchObject({ version: 1, source: 'cache' });

describe('with a client that is configured with Sentinels', () => {
  test('entries are read from the master', async () => {
    await expectFromCache();
    expect(stub.asked).toEqual([]);
  });

  test('entries are read from the new master after a failover, and by the coordinator until then', async () => {
    const before = await set.master();
    await before.kill();
    expect(await client.get('account', 1)).toMatchObject({ version: 1 });
    await eventually(expectFromCache, FAILOVER);
    expect((await set.master()).port).not.toBe(before.port);
    await before.restart();
  });

  test('a master that hangs is left, also if its connections stay open', async () => {
    const before = await set.master();
    before.pause();
    try {
      await eventually(expectFromCache, FAILOVER);
      expect((await set.master()).port).not.toBe(before.port);
    } finally {
      before.resume();
    }
  });
});
