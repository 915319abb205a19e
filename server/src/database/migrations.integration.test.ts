import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { migrations } from '@lockstep/migrations';
import { systemRuntime } from '../runtime/index.ts';
import { freshDatabase, installedClients, type FreshDatabase } from '@lockstep/testkit/servers';
import type { Database } from './open-database.ts';
import { openDatabase } from '../dialects/index.ts';
import { silentLog } from '@lockstep/testkit/database/open-test-database';

const NAMES = migrations.map((migration) => migration.name);

describe.each(installedClients())('migrations on %s', (client) => {
  let fresh: FreshDatabase;
  let database: Database;
  beforeEach(async () => {
    fresh = await freshDatabase(client);
    database = open(fresh.url);
  });
  afterEach(async () => {
    await database?.close();
    await fresh?.drop();
  });

  const open = (connection: string): Database =>
    openDatabase({
      client,
      connection,
      pool: { min: 0, max: 2 },
      statementTimeoutMs: 2_000,
      acquireTimeoutMs: 1_000,
      runtime: systemRuntime(silentLog),
    });
  const execute = (sql: string) => database.sql.run({ pg: sql, mysql2: sql });

  it('go up, down one by one, and up again', async () => {
    expect(await database.migrations.status()).toEqual({ applied: [], pending: NAMES });
    expect(await database.migrations.up()).toEqual(NAMES);
    expect(await database.migrations.up()).toEqual([]);
    expect(await database.migrations.status()).toEqual({ applied: NAMES, pending: [] });
    for (const name of [...NAMES].reverse()) {
      expect(await database.migrations.down()).toEqual([name]);
    }
    expect(await database.migrations.down()).toEqual([]);
    expect(await database.migrations.up()).toEqual(NAMES);
  });

  it('run once where several coordinators start at once', async () => {
    const others = [open(fresh.url), open(fresh.url)];
    try {
      const done = await Promise.all([database, ...others].map((each) => each.migrations.up()));
      expect(done.flat().sort()).toEqual(NAMES);
    } finally {
      await Promise.all(others.map((each) => each.close()));
    }
  });

  it('go on after a process that died while it held the migrations', async () => {
    await database.migrations.up();
    await execute('update lockstep_migrations_lock set is_locked = 1');
    await database.migrations.down();
    await execute('update lockstep_migrations_lock set is_locked = 1');
    expect(await database.migrations.up()).toEqual(NAMES.slice(-1));
  });

  it('go on after a migration that was cut off in its middle', async () => {
    await database.migrations.up();
    // On MySQL its tables may be there and its record not; PostgreSQL takes both back together.
    if (client === 'mysql2') await execute('delete from lockstep_migrations');
    expect(await database.migrations.up()).toEqual(client === 'mysql2' ? NAMES : []);
  });

  it('say that the database is away', async () => {
    const url = new URL(fresh.url);
    url.port = '1';
    const away = open(url.href);
    await expect(away.migrations.up()).rejects.toMatchObject({ code: 'DATABASE_UNAVAILABLE' });
    await away.close();
  });
});
