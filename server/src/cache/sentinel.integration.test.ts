import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { eventually } from '@lockstep/testkit/poll';
import { startSentinelSet, type TestRedis, type TestSentinelSet } from '@lockstep/testkit/servers';
import { credentialsOf, printSentinelUrl, sentinelAddress } from '../redis/index.ts';
import { systemRuntime } from '../runtime/index.ts';
import { CacheConnection } from './index.ts';

const FAILOVER = { withinMs: 120_000, everyMs: 200 };
const warnings: string[] = [];
const log = {
  ...{ debug: () => {}, info: () => {}, error: () => {} },
  warn: (_: object, message: string) => void warnings.push(message),
};
const runtime = systemRuntime(log);

describe('a connection to a cache that Sentinels watch', () => {
  let set: TestSentinelSet;
  let connection: CacheConnection;

  beforeAll(async () => {
    set = await startSentinelSet();
    const urls = set.sentinels.map(({ url }) => url);
    const url = printSentinelUrl({
      sentinels: urls.map(sentinelAddress),
      ofSentinels: credentialsOf(urls[0] ?? ''),
      ...{ name: set.name, username: null, password: set.password, databaseNumber: 0 },
    });
    connection = new CacheConnection({ url, commandTimeoutMs: 1_000, runtime });
    await connection.ready(30_000);
  });
  afterAll(async () => {
    connection.close();
    await set.stop();
  });

  const port = (): Promise<string> =>
    connection.run(async (client) => String((await client.config('GET', 'port'))[1]));
  const expectMove = async (before: TestRedis): Promise<void> => {
    const after = await set.master();
    expect(after.port).not.toBe(before.port);
    expect(await port()).toBe(String(after.port));
  };

  it('leads to the master', async () => {
    expect(await port()).toBe(String((await set.master()).port));
    expect(connection.master).toMatchObject({ moves: 0 });
    expect(warnings).toEqual([]);
  });

  it('leads to the next one if the machine is silent, and so do further connections', async () => {
    const before = await set.master();
    const runId = connection.master?.runId;
    const second = await connection.openSecond();
    before.pause();
    try {
      await eventually(() => expectMove(before), FAILOVER);
      await eventually(async () => expect((await second.role())[0]).toBe('master'), FAILOVER);
      expect(String((await second.config('GET', 'port'))[1])).toBe(await port());
    } finally {
      before.resume();
      second.disconnect();
    }
    expect(connection.master?.moves).toBe(1);
    expect(connection.master?.runId).not.toBe(runId);
    expect(warnings.join()).toMatch(/the cache has failed over to another server/);
  });

  it('finds the master again after all Sentinels were away', async () => {
    const before = await set.master();
    for (const sentinel of set.sentinels) await sentinel.kill();
    // It stays where it is, because nobody names another master.
    await connection.check();
    expect(connection.up).toBe(true);
    connection.client.disconnect(true);
    await eventually(() => expect(connection.up).toBe(false));
    for (const sentinel of set.sentinels) await sentinel.restart();
    await eventually(() => expect(connection.up).toBe(true), FAILOVER);
    expect((await set.master()).port).toBe(before.port);
    expect(connection.master?.moves).toBe(1);
  });
});
