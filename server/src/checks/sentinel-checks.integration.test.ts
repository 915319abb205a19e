import { Redis } from 'ioredis';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { FieldFault } from '@lockstep/shared';
import { startSentinelSet, type TestRedis, type TestSentinelSet } from '@lockstep/testkit/servers';
import { eventually } from '@lockstep/testkit/poll';
import { formatFault, loadConfig } from '../config/index.ts';
import { findFreePort } from '../embedded/free-port.ts';
import { createLog, systemRuntime } from '../runtime/index.ts';
import { checkServers, serverUrls } from './index.ts';
import { redisServerId } from './redis-server-id.ts';

const runtime = systemRuntime(createLog('silent', null));
const FAILOVER = { withinMs: 120_000, everyMs: 200 };
let set: TestSentinelSet;
let sentinels: string[] = [];

beforeAll(async () => {
  set = await startSentinelSet();
  sentinels = set.sentinels.map(({ url }) => url);
});
afterAll(() => set.stop());

async function configOf(cache: Record<string, unknown>, policy = 'delete-after-write') {
  const raw = {
    cache: { sentinels, name: set.name, password: set.password, ...cache },
    resources: { account: { table: 'accounts', key: ['id'], policy } },
  };
  return (await loadConfig({ raw, env: {}, cwd: '/' })).config;
}

/** What `check` and `start` find in such a cache; the other servers are not looked at. */
async function found(cache: Record<string, unknown> = {}, policy?: string) {
  const config = await configOf(cache, policy);
  const result = await checkServers(config, serverUrls(config), runtime);
  const lines = (faults: readonly FieldFault[]): string[] => faults.map(formatFault);
  return {
    faults: lines(result.faults),
    absent: lines(result.absent),
    spare: lines(result.spare),
    warnings: lines(result.warnings),
    notes: result.notes,
  };
}

/** How long the master may be silent, in ms. */
async function failOverAfter(downAfterMs: string): Promise<void> {
  for (const { url } of set.sentinels) {
    const client = new Redis(url);
    try {
      await client.call('SENTINEL', 'SET', set.name, 'down-after-milliseconds', downAfterMs);
    } finally {
      client.disconnect();
    }
  }
}

const NOTHING = { faults: [], absent: [], spare: [], warnings: [] };
const withoutCredentials = (url: string): string => `redis://127.0.0.1:${new URL(url).port}`;
const nobody = async (): Promise<string> => `redis://127.0.0.1:${await findFreePort()}`;

describe('a cache that Sentinels watch', () => {
  it('is checked as the server that is the master', async () => {
    const { notes, ...lines } = await found();
    expect(lines).toEqual(NOTHING);
    const { port } = await set.master();
    expect(notes).toContain(`cache: 127.0.0.1:${port} is the master main, of 3 of 3 Sentinels`);
    expect(notes.join()).toMatch(/cache: Redis \d/);
  });

  it('puts strict resources at risk, which is no fault', async () => {
    const { warnings, notes: _, ...lines } = await found({}, 'strict');
    expect(lines).toMatchObject({ faults: [], absent: [], spare: [] });
    expect(warnings).toEqual([
      expect.stringMatching(/^cache\.sentinels: a failover may lose the last writes of the cache/),
    ]);
  });

  it('with a name that no Sentinel knows is refused', async () => {
    expect(await found({ name: 'other' })).toMatchObject({
      ...NOTHING,
      faults: [expect.stringMatching(/^cache\.name: is other, which no Sentinel .* knows/)],
    });
  });

  it('with a wrong password of the Sentinels, or none, is refused', async () => {
    const wrong = sentinels.map((url) => url.replace('of-the-sentinels', 'S3CRET'));
    const refused = await found({ sentinels: wrong });
    expect(refused).toMatchObject({
      ...NOTHING,
      faults: [
        expect.stringMatching(
          /^cache\.sentinels: a Sentinel refuses the user or the password \(WRONGPASS/,
        ),
      ],
    });
    expect(JSON.stringify(refused)).not.toContain('S3CRET');
    expect(await found({ sentinels: sentinels.map(withoutCredentials) })).toMatchObject({
      ...NOTHING,
      faults: [expect.stringMatching(/^cache\.sentinels: a Sentinel asks for a password/)],
    });
  });

  it('with a wrong password of the master is refused', async () => {
    expect(await found({ password: 'S3CRET' })).toMatchObject({
      ...NOTHING,
      faults: [
        expect.stringMatching(
          /^cache\.sentinels: the master \(127\.0\.0\.1:\d+\) refuses the user or the password/,
        ),
      ],
    });
  });

  it('of which no Sentinel answers is waited for', async () => {
    expect(await found({ sentinels: [await nobody(), await nobody()] })).toMatchObject({
      ...NOTHING,
      absent: [
        expect.stringMatching(
          /^cache\.sentinels: no Sentinel answers; the first does not answer: the connection is refused \(ECONNREFUSED\)/,
        ),
      ],
    });
  });

  it('of which one Sentinel is away can be used', async () => {
    const named = [sentinels[0], withoutCredentials(await nobody())].map((url, index) =>
      index === 0 ? url : url?.replace('//', '//:of-the-sentinels@'),
    );
    expect(await found({ sentinels: named })).toMatchObject({
      ...NOTHING,
      spare: [expect.stringMatching(/^cache\.sentinels\.1: does not answer/)],
    });
  });

  it('with the servers in place of the Sentinels is refused', async () => {
    expect(await found({ sentinels: set.servers.map(({ url }) => url) })).toMatchObject({
      ...NOTHING,
      faults: [expect.stringMatching(/^cache\.sentinels: hold a Redis server that is no Sentinel/)],
    });
  });

  it('whose master does not answer is waited for, until another server is the master', async () => {
    const before: TestRedis = await set.master();
    await failOverAfter('600000');
    await before.kill();
    expect(await found()).toMatchObject({
      ...NOTHING,
      absent: [
        expect.stringMatching(/^cache\.sentinels: the master \(127\.0\.0\.1:\d+\) does not answer/),
      ],
    });
    await failOverAfter('1000');
    await eventually(async () => expect(await found()).toMatchObject(NOTHING), FAILOVER);
    expect((await set.master()).port).not.toBe(before.port);
    await before.restart();
  });

  it('is the same cache to other coordinators after a failover as before (H11)', async () => {
    const cache = serverUrls(await configOf({})).cache ?? '';
    const before = await set.master();
    const id = await redisServerId(cache, 'the-first-id', false);
    expect(id).toBe('the-first-id');
    const client = new Redis(before.url);
    await client.wait(2, 30_000).finally(() => client.disconnect());
    await before.kill();
    await eventually(async () => expect(await found()).toMatchObject(NOTHING), FAILOVER);
    expect(await redisServerId(cache, 'another-id', false)).toBe('the-first-id');
    await before.restart();
  });
});
