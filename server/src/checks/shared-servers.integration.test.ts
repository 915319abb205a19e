import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Database } from '../database/index.ts';
import { openDatabase } from '../dialects/index.ts';
import { createLog, systemRuntime } from '../runtime/index.ts';
import {
  freshDatabase,
  type FreshDatabase,
  installedClients,
  startRedis,
  type TestRedis,
} from '@lockstep/testkit/servers';
import { lookAtRedis } from './redis-facts.ts';
import { SharedServers, type SharedServersOptions } from './shared-servers.ts';

const runtime = systemRuntime(createLog('silent', null));

describe.each(installedClients())('coordinators of one database, on %s', (client) => {
  let fresh: FreshDatabase;
  let database: Database;
  let redis: TestRedis[] = [];
  const joined: SharedServers[] = [];
  let count = 0;

  beforeAll(async () => {
    [fresh, ...redis] = await Promise.all([
      freshDatabase(client),
      ...[0, 1, 2, 3].map(() => startRedis()),
    ]);
    database = openDatabase({
      ...{ client, connection: fresh.url, pool: { min: 0, max: 4 }, runtime },
      ...{ statementTimeoutMs: 5_000, acquireTimeoutMs: 5_000 },
    });
    await database.migrations.up();
  });
  afterAll(async () => {
    await Promise.all(joined.map((each) => each.stop()));
    await database.close();
    await Promise.all([fresh.drop(), ...redis.map((each) => each.stop())]);
  });

  const url = (index: number, name = '127.0.0.1'): string =>
    (redis[index]?.url ?? '').replace('127.0.0.1', name);
  function coordinator(servers: Partial<SharedServersOptions['servers']>): SharedServers {
    count += 1;
    const shared = new SharedServers({
      instance: `coordinator-${count}`,
      place: `place-${count}`,
      servers: {
        ...{ cacheUrl: url(0), isCacheOwn: false },
        ...{ lockUrls: [url(1), url(2)], lockGroupSize: 2, areLocksOwn: false },
        ...servers,
      },
      sql: database.sql,
      runtime,
    });
    joined.push(shared);
    return shared;
  }
  /** The paths for which a start is refused; empty if it is not. */
  const refusal = async (shared: SharedServers): Promise<string[]> => {
    try {
      await shared.join();
      return [];
    } catch (error) {
      await shared.stop();
      return (error as { faults: { path: string }[] }).faults.map(({ path }) => path);
    }
  };

  it('serve together where they use the same servers, by whatever names, and not otherwise (H11)', async () => {
    const first = coordinator({});
    expect(await refusal(first)).toEqual([]);
    const sameServers = { cacheUrl: url(0, 'localhost'), lockUrls: [url(2), url(1, 'localhost')] };
    expect(await refusal(coordinator(sameServers))).toEqual([]);
    expect(await refusal(coordinator({ cacheUrl: url(3) }))).toEqual(['cache.url']);
    expect(await refusal(coordinator({ cacheUrl: `${url(0)}/1` }))).toEqual(['cache.url']);
    expect(await refusal(coordinator({ lockUrls: [url(1), url(3)] }))).toEqual(['locks.nodes']);
    expect(await refusal(coordinator({ lockUrls: [url(1)] }))).toEqual(['locks.nodes']);
  });

  it('serve together only where their lock nodes are in the same groups in the same order (H11)', async () => {
    await Promise.all(joined.splice(0).map((each) => each.stop()));
    const inTwo = { lockUrls: [url(1), url(2), url(3), url(0)], lockGroupSize: 2 };
    expect(await refusal(coordinator(inTwo))).toEqual([]);
    const otherwiseWithin = { ...inTwo, lockUrls: [url(2), url(1), url(3), url(0)] };
    expect(await refusal(coordinator(otherwiseWithin))).toEqual([]);
    for (const other of [
      { ...inTwo, lockUrls: [url(3), url(0), url(1), url(2)] },
      { ...inTwo, lockUrls: [url(1), url(3), url(2), url(0)] },
      { ...inTwo, lockGroupSize: 4 },
      { ...inTwo, lockGroupSize: 1 },
    ])
      expect(await refusal(coordinator(other)), JSON.stringify(other)).toEqual(['locks.nodes']);
  });

  it('that stopped, or died a while ago, are no reason to refuse: a cache can be moved (H11)', async () => {
    await Promise.all(joined.splice(0).map((each) => each.stop()));
    const elsewhere = coordinator({ cacheUrl: url(3) });
    expect(await refusal(elsewhere)).toEqual([]);
    await elsewhere.stop();
    await database.sql.run({
      pg: "insert into lockstep_shared_servers values ('killed', 'other', 'x', clock_timestamp())",
      mysql2:
        "insert into lockstep_shared_servers values ('killed', 'other', 'x', utc_timestamp(6))",
    });
    expect(await refusal(coordinator({}))).toEqual([]);
  });

  it('that start at the same moment with two caches do not both serve (H11)', async () => {
    await Promise.all(joined.splice(0).map((each) => each.stop()));
    const refusals = await Promise.all(
      [0, 3].map((index) => refusal(coordinator({ cacheUrl: url(index) }))),
    );
    expect(refusals).toContainEqual(['cache.url']);
  });

  it('go on with a cache that was emptied, and one that starts then joins them (H11)', async () => {
    await Promise.all(joined.splice(0).map((each) => each.stop()));
    expect(await refusal(coordinator({}))).toEqual([]);
    await lookAtRedis(url(0), (admin) => admin.flushall());
    expect(await refusal(coordinator({}))).toEqual([]);
  });
});
