import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { makeKey, type LockstepError } from '../../domain/index.ts';
import { systemRuntime } from '../../runtime/index.ts';
import {
  installedClients,
  startMysql,
  startPostgres,
  type TestServer,
} from '@lockstep/testkit/servers';
import { bindResources } from '../configuration/bind-resources.ts';
import type { Database } from '../open-database.ts';
import { openDatabase } from '../../dialects/index.ts';
import type { RowWriteResult } from '../port.ts';
import { silentLog } from '@lockstep/testkit/database/open-test-database';
import { config } from '@lockstep/testkit/database/tables';
import type { Resource } from '../../domain/index.ts';

const STATEMENT_TIMEOUT_MS = 1_500;
const ACQUIRE_TIMEOUT_MS = 700;
/** The statement's bound, its slack, and what a loaded machine adds. */
const SETTLE_MS = STATEMENT_TIMEOUT_MS + 8_000;

describe.each(installedClients())('faults of a database on %s', (client) => {
  let server: TestServer;
  let database: Database;
  let account: Resource;

  beforeAll(async () => {
    server = client === 'pg' ? await startPostgres() : await startMysql();
    database = open(4);
    await database.migrations.up();
    await execute(
      'create table accounts (id integer primary key, owner varchar(20), balance bigint)',
    );
    const { resources } = await bindResources([config()], database.catalog);
    const [resource] = resources;
    if (resource === undefined) throw new Error('not bound');
    account = resource;
  });
  afterAll(async () => {
    await database?.close();
    await server?.stop();
  });
  beforeEach(async () => {
    await execute('delete from accounts');
    await execute('delete from lockstep_keys');
    await execute(`insert into accounts values (1, 'ann', 0)`);
  });

  const open = (max: number): Database =>
    openDatabase({
      client,
      connection: server.url,
      pool: { min: 0, max },
      statementTimeoutMs: STATEMENT_TIMEOUT_MS,
      acquireTimeoutMs: ACQUIRE_TIMEOUT_MS,
      runtime: systemRuntime(silentLog),
    });

  const execute = (sql: string) => database.sql.run({ pg: sql, mysql2: sql });
  const key = () => makeKey(account, ['1']);
  const write = (on: Database = database): Promise<RowWriteResult> =>
    on.rows.write({
      key: key(),
      change: { op: 'patch', set: {}, increment: { balance: '1' } },
      outbox: false,
    });
  const balance = async () => (await database.rows.read(key())).row?.balance;

  /** How the promise failed, and after how long. */
  async function failure(
    promise: Promise<unknown>,
  ): Promise<{ code: string; outcome: string; tookMs: number }> {
    const startedAtMs = performance.now();
    const error = (await promise.then(
      () => ({ code: 'none', outcome: 'none' }),
      (reason: unknown) => reason,
    )) as LockstepError;
    return { code: error.code, outcome: error.outcome, tookMs: performance.now() - startedAtMs };
  }

  async function recovered(): Promise<void> {
    await expect
      .poll(() =>
        database.ping().then(
          () => 'up',
          () => 'down',
        ),
      )
      .toBe('up');
  }

  it('settles reads, writes and pings in time while the server hangs, and recovers', async () => {
    await Promise.all(Array.from({ length: 4 }, () => database.ping())); // four open connections
    server.pause();
    const attempts = Promise.all([
      Promise.all(Array.from({ length: 2 }, () => failure(write()))),
      failure(database.rows.read(key())),
      failure(database.ping()),
      Promise.all(Array.from({ length: 4 }, () => failure(write()))),
    ]);
    const [first, read, ping, rest] = await attempts.finally(() => server.resume());
    const writes = [...first, ...rest];
    for (const { tookMs } of [read, ping, ...writes]) {
      expect(tookMs).toBeLessThan(SETTLE_MS + ACQUIRE_TIMEOUT_MS);
    }
    expect(read).toMatchObject({ code: 'DATABASE_UNAVAILABLE' });
    expect(ping).toMatchObject({ code: 'DATABASE_UNAVAILABLE' });
    for (const { code, outcome } of writes) {
      expect([code, outcome]).toEqual(
        code === 'OUTCOME_UNKNOWN'
          ? ['OUTCOME_UNKNOWN', 'unknown']
          : ['DATABASE_UNAVAILABLE', 'not_applied'],
      );
    }
    // PostgreSQL's one statement may have been carried out; MySQL's transaction was not even committed.
    const unknown = writes.filter(({ code }) => code === 'OUTCOME_UNKNOWN').length;
    expect(client === 'pg' ? unknown > 0 : unknown === 0).toBe(true);
    await recovered();
    expect(await write()).toMatchObject({ status: 'applied' });
    const total = Number(await balance());
    expect(total).toBeGreaterThanOrEqual(1);
    expect(total).toBeLessThanOrEqual(1 + unknown);
  });

  it('says at once that nothing was applied while the server is down, and recovers', async () => {
    await write();
    await server.kill();
    await expect.poll(async () => (await failure(write())).code).toBe('DATABASE_UNAVAILABLE');
    const { code, outcome, tookMs } = await failure(write());
    expect([code, outcome]).toEqual(['DATABASE_UNAVAILABLE', 'not_applied']);
    expect(tookMs).toBeLessThan(SETTLE_MS);
    expect(await failure(database.rows.read(key()))).toMatchObject({
      code: 'DATABASE_UNAVAILABLE',
    });
    await server.restart();
    await recovered();
    expect(await write()).toMatchObject({ status: 'applied' });
  });

  it('never calls a write not applied that was applied, when the server dies under it', async () => {
    let acknowledged = 0;
    let unknown = 0;
    const writer = async (): Promise<void> => {
      for (;;) {
        try {
          await write();
          acknowledged++;
        } catch (error) {
          const { code } = error as LockstepError;
          if (code === 'OUTCOME_UNKNOWN') unknown++;
          return;
        }
      }
    };
    const writers = Array.from({ length: 4 }, writer);
    await expect.poll(() => acknowledged).toBeGreaterThan(20);
    await server.kill();
    await Promise.all(writers);
    await server.restart();
    await recovered();
    const total = Number(await balance());
    expect(total).toBeGreaterThanOrEqual(acknowledged);
    expect(total).toBeLessThanOrEqual(acknowledged + unknown);
  });

  it('gives a write up that waits too long for the row, and nothing of it is applied', async () => {
    await database.sql.transaction(async (session) => {
      const sql = 'update accounts set balance = 100 where id = 1';
      await session.run({ pg: sql, mysql2: sql });
      const { code, outcome, tookMs } = await failure(write());
      expect([code, outcome]).toEqual(['DATABASE_UNAVAILABLE', 'not_applied']);
      expect(tookMs).toBeLessThan(SETTLE_MS);
    });
    expect(await database.rows.read(key())).toMatchObject({ version: 0, row: { balance: 100 } });
    expect(await write()).toMatchObject({ status: 'applied', version: 1 });
  });

  it('refuses quickly when every connection is busy', async () => {
    const small = open(1);
    try {
      await small.sql.transaction(async () => {
        const { code, outcome, tookMs } = await failure(write(small));
        expect([code, outcome]).toEqual(['DATABASE_UNAVAILABLE', 'not_applied']);
        expect(tookMs).toBeLessThan(SETTLE_MS);
      });
      expect(await write(small)).toMatchObject({ status: 'applied' });
    } finally {
      await small.close();
    }
  });

  it('says nothing was applied where a table has gone', async () => {
    await execute('alter table accounts rename to gone');
    try {
      for (const attempt of [() => write(), () => database.rows.read(key())]) {
        const unavailable = { code: 'DATABASE_UNAVAILABLE', outcome: 'not_applied' };
        expect(await failure(attempt())).toMatchObject(unavailable);
      }
    } finally {
      await execute('alter table gone rename to accounts');
    }
    expect(await database.rows.read(key())).toMatchObject({ version: 0 });
  });
});
