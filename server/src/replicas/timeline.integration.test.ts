import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import type { Database } from '../database/index.ts';
import { openDatabase } from '../dialects/index.ts';
import { systemRuntime } from '../runtime/index.ts';
import {
  installedClients,
  startPostgres,
  startStandby,
  type TestReplica,
  type TestServer,
} from '@lockstep/testkit/servers';
import { positionText } from './dialect.ts';
import { pgPositions } from '../dialects/postgres/replica-positions.ts';

const quiet = { debug: () => {}, info: () => {}, warn: () => {}, error: () => {} };

/** A primary dies. One standby had all of its commits; another did not, and becomes the primary. */
describe.runIf(installedClients().includes('pg'))('after a failover that lost commits', () => {
  let lost: TestServer;
  let further: TestReplica;
  let promoted: TestReplica;
  const opened: Database[] = [];

  const open = (url: string): Database => {
    const database = openDatabase({
      ...{ client: 'pg', connection: url, pool: { min: 0, max: 2 } },
      ...{ statementTimeoutMs: 5_000, acquireTimeoutMs: 5_000, runtime: systemRuntime(quiet) },
    });
    opened.push(database);
    return database;
  };
  const run = (database: Database, sql: string) => database.sql.run({ pg: sql });
  const said = async ({ sql }: Database, by: 'primary' | 'replica'): Promise<string> =>
    positionText((await sql.run(pgPositions[by])).rows[0]) ?? 'none';
  const write = (database: Database) =>
    run(database, "insert into filler select repeat('x', 100) from generate_series(1, 10000)");

  beforeAll(async () => {
    lost = await startPostgres();
    const before = open(lost.url);
    await run(before, 'create table filler (text text)');
    [further, promoted] = await Promise.all([startStandby(lost), startStandby(lost)]);
    await promoted.server.kill();
    await write(before);
    const end = pgPositions.parse(await said(before, 'primary')) ?? '*';
    const standby = open(further.server.url);
    await vi.waitFor(async () =>
      expect(pgPositions.hasReached(await said(standby, 'replica'), end)).toBe(true),
    );
    await lost.kill();
    await promoted.server.restart();
    await run(open(promoted.server.url), 'select pg_promote()');
  }, 180_000);
  afterAll(async () => {
    await Promise.all(opened.map((database) => database.close()));
    for (const server of [promoted?.server, further?.server, lost]) await server?.stop();
  });

  it('G5: a standby that had them has not reached what the new primary commits, however far it is', async () => {
    const primary = open(promoted.server.url);
    const standby = open(further.server.url);
    await run(primary, 'create table after_failover (id integer)');
    const early = pgPositions.parse(await said(primary, 'primary')) ?? '*';
    const at = await said(standby, 'replica');
    expect(early).toMatch(/@2$/);
    expect(at).toMatch(/@00000001$/);
    // By the byte alone it would count as reached.
    expect(pgPositions.hasReached(at, early.replace('@2', '@1'))).toBe(true);
    expect(pgPositions.hasReached(at, early)).toBe(false);
    expect(pgPositions.isAhead(at, early)).toBe(true);

    // When the new primary has come as far, the old standby still does not count as its replica.
    await write(primary);
    await write(primary);
    const late = pgPositions.parse(await said(primary, 'primary')) ?? '*';
    const then = await said(standby, 'replica');
    expect(pgPositions.isAhead(then, late)).toBe(false);
    expect(pgPositions.hasReached(then, late)).toBe(false);
    expect(pgPositions.hasReached(then, '1@2')).toBe(false);
  });

  it('a role without any right may ask where a server is', async () => {
    const primary = open(promoted.server.url);
    await run(primary, 'create role nobody_much login');
    const url = new URL(promoted.server.url);
    url.username = 'nobody_much';
    const asNobody = open(url.href);
    expect(await said(asNobody, 'primary')).toMatch(/@00000002$/);
    // The statement for a replica, on a server that is not one.
    expect(await said(asNobody, 'replica')).toBe('none');
    const { rows } = await asNobody.sql.run(pgPositions.identity);
    expect(rows[0]?.identity).toMatch(/^\d+$/);
  });
});
