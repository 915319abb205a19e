import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { ConfigError } from '../config/index.ts';
import { CacheKeyTemplate } from '../domain/index.ts';
import type { SqlRunner } from '../database/index.ts';
import { resource } from '@lockstep/testkit/doubles/resource';
import { type Log, systemRuntime } from '../runtime/index.ts';
import { startRedis, type TestRedis } from '@lockstep/testkit/servers';
import { ClusterRegistry, type ClusterRegistryOptions } from './cluster-registry.ts';
import { readAnnouncements, announce } from './redis-clusters.ts';
import { lookAtRedis } from './redis-facts.ts';

const lines: string[] = [];
const silent = (): void => undefined;
const log: Log = {
  debug: silent,
  info: silent,
  warn: silent,
  error: (_, text) => void lines.push(text),
};
const runtime = systemRuntime(log);

describe('clusters on one Redis (K4)', () => {
  let redis: TestRedis;
  let lockNode: TestRedis;
  const joined: ClusterRegistry[] = [];

  beforeAll(async () => {
    [redis, lockNode] = await Promise.all([startRedis(), startRedis()]);
  });
  afterAll(async () => {
    await leave();
    await Promise.all([redis.stop(), lockNode.stop()]);
  });

  /** A database that lists these coordinators, each with the age of its entry. */
  const listing = (coordinators: readonly [instance: string, ageMs: number][]): SqlRunner => {
    const rows = coordinators.map(([instance, ageMs]) => ({ instance, age_ms: String(ageMs) }));
    const run = () => Promise.resolve({ rows, affected: 0, insertId: null });
    return { client: 'pg', run } as unknown as SqlRunner;
  };
  const leave = async (): Promise<void> => {
    await Promise.all(joined.splice(0).map((each) => each.stop()));
  };
  function registry(
    cluster: string,
    template = 'account:{id}',
    rest: Partial<ClusterRegistryOptions> = {},
  ): ClusterRegistry {
    const made = new ClusterRegistry({
      config: { locks: { mode: 'external', nodes: [] }, cache: { mode: 'single' } } as never,
      sql: listing([]),
      cluster,
      instance: `${cluster}-${joined.length}`,
      databaseUrl: `postgresql://user:secret@db.example/${cluster}?sslmode=require`,
      cacheUrl: redis.url,
      lockUrls: [lockNode.url],
      resources: () => [resource({ cacheKey: new CacheKeyTemplate(template) })],
      runtime,
      ...rest,
    });
    joined.push(made);
    return made;
  }
  const refusal = async (each: ClusterRegistry): Promise<string | null> => {
    try {
      await each.join();
      return null;
    } catch (error) {
      if (error instanceof ConfigError) return error.message;
      throw error;
    }
  };

  it('do not both serve where they start at the same moment', async () => {
    const refusals = await Promise.all([refusal(registry('one')), refusal(registry('two'))]);
    expect(refusals.some((each) => each !== null)).toBe(true);
    await leave();
  });

  it('are told apart from coordinators of the own one; no credentials are told', async () => {
    expect(await refusal(registry('one'))).toBeNull();
    expect(await refusal(registry('one'))).toBeNull();
    const told = await refusal(registry('two'));
    expect(told?.split('\n')).toHaveLength(1);
    expect(told).toContain('of the cluster postgresql://db.example/one (');
    expect(JSON.stringify(await readAnnouncements(redis.url))).not.toMatch(/secret|user|sslmode/);
    await leave();
  });

  it('leave nothing behind when they stop', async () => {
    expect(await refusal(registry('one'))).toBeNull();
    await leave();
    for (const { url } of [redis, lockNode])
      expect(await lookAtRedis(url, (client) => client.keys('lockstep:clusters*'))).toEqual([]);
  });

  it('are forgotten a while after they were killed, and not before', async () => {
    const content = { name: 'killed', resources: [] };
    const announcer = { cluster: 'killed', instance: 'a' };
    await announce(redis.url, announcer, JSON.stringify(content), 200);
    await vi.waitFor(async () => expect(await readAnnouncements(redis.url)).toEqual([]));
    // The next coordinator that reads the list removes the name from it.
    await announce(redis.url, { cluster: 'one', instance: 'b' }, '{}', 60_000);
    expect(await lookAtRedis(redis.url, (client) => client.get('lockstep:clusters'))).toBe('one/b');
    await announce(redis.url, { cluster: 'one', instance: 'b' }, null, 60_000);
  });

  it('are warned of where they lock rows of one name', async () => {
    await registry('one').join();
    const other = await registry('two', 'two:{id}').join();
    expect(other).toEqual([
      {
        path: 'locks.nodes',
        message: expect.stringMatching(
          /^are used by the cluster postgresql:.*\/one too, and both lock rows of account, /,
        ) as string,
      },
    ]);
    await leave();
  });

  it('what a reload proposes counts from the look on, and no longer where it fails', async () => {
    const one = registry('one', 'one:{id}');
    await one.join();
    const proposed = [resource({ cacheKey: new CacheKeyTemplate('account:{id}') })];
    expect(await one.propose(proposed)).toEqual([]);
    expect(await refusal(registry('two'))).toContain('account:{id}');
    await one.endProposal();
    const two = registry('two');
    expect(await refusal(two)).toBeNull();
    expect(await one.propose(proposed)).toMatchObject([{ path: 'resources.account.cacheKey' }]);
    await leave();
  });

  it('are not refused while the cache is away, and named in the log when it is back', async () => {
    await registry('one', 'account:{id}', { expiryMs: 600 }).join();
    await redis.kill();
    expect(await refusal(registry('two', 'account:{id}', { expiryMs: 600 }))).toBeNull();
    lines.length = 0;
    await redis.restart();
    await vi.waitFor(() => expect(lines.join()).toContain('account:{id} and account:{id}'), 10_000);
    await leave();
  });

  it('of one name over two databases are named in the log when it is sure that both live', async () => {
    lines.length = 0;
    const quick = { expiryMs: 300 };
    const sql = listing([['one-0', 100]]);
    expect(await refusal(registry('one', 'account:{id}', { ...quick, sql }))).toBeNull();
    // A second coordinator of the same database is accepted, even if the first was killed a moment ago.
    const late = listing([['one-0', 40_000]]);
    expect(await refusal(registry('one', 'account:{id}', { ...quick, sql: late }))).toBeNull();
    const copy = listing([['one-0', 3_600_000]]);
    expect(await refusal(registry('one', 'account:{id}', { ...quick, sql: copy }))).toBeNull();
    await vi.waitFor(
      () =>
        expect(lines).toEqual([
          expect.stringMatching(
            /^cache\.url: is used by the coordinator one-0 too, .* copy of the other/,
          ),
        ]),
      5_000,
    );
    await leave();
  });

  it('an invalid announcement is ignored', async () => {
    for (const content of ['x', '[]', '{"name":1}', '{"name":"x","resources":[{}]}'])
      await announce(redis.url, { cluster: 'forged', instance: content }, content, 60_000);
    expect(await refusal(registry('one'))).toBeNull();
  });
});
