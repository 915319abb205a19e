import pg from 'pg';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { bindResources, type Database } from '../database/index.ts';
import { openDatabase } from '../dialects/index.ts';
import { silentLog } from '@lockstep/testkit/database/open-test-database';
import { config } from '@lockstep/testkit/database/tables';
import { startPostgres, startStandby, type TestServer } from '@lockstep/testkit/servers';
import { systemRuntime } from '../runtime/index.ts';
import { createChangeSource } from './index.ts';
import type { ChangeSink, ChangeSource, RowChange } from './port.ts';
import { until } from './testing/world.ts';

const SLOT = 'lockstep';
const runtime = systemRuntime(silentLog);
let primary: TestServer;
let standby: TestServer;
const opened: Database[] = [];

beforeAll(async () => {
  primary = await startPostgres();
});
afterAll(async () => {
  for (const database of opened) await database.close();
  await standby?.stop();
  await primary?.stop();
});

interface Node {
  database: Database;
  source: ChangeSource;
  execute(text: string): Promise<unknown>;
}

async function connect(server: TestServer, prepare: readonly string[]): Promise<Node> {
  const database = openDatabase({
    ...{ client: 'pg', connection: server.url, pool: { min: 0, max: 4 } },
    ...{ statementTimeoutMs: 30_000, acquireTimeoutMs: 30_000, runtime },
  });
  opened.push(database);
  const execute = (text: string) => database.sql.run({ pg: text });
  if (prepare.length > 0) await database.migrations.up();
  for (const text of prepare) await execute(text);
  const { resources } = await bindResources([config()], database.catalog);
  const source = createChangeSource({
    ...{ sql: database.sql, connection: server.url, slot: SLOT, serverId: 0, runtime },
    publication: 'lockstep',
    resources: new Map(resources.map((one) => [one.name, one])),
  });
  return { database, source, execute };
}

/** Streams until `isEnough`, and acknowledges all of it. */
async function follow(
  source: ChangeSource,
  from: string,
  isEnough: (rows: readonly RowChange[]) => Promise<boolean>,
): Promise<{ rows: RowChange[]; position: string }> {
  const rows: RowChange[] = [];
  let position = from;
  const reached = (at: string): void => {
    position = at;
    source.acknowledge(at);
  };
  const nothing = (): void => undefined;
  const sink: ChangeSink = {
    ...{ begin: nothing, mark: nothing, lost: nothing, room: () => null },
    ...{ row: (change) => void rows.push(change), commit: reached, caughtUp: reached },
  };
  const stop = new AbortController();
  const streaming = source.stream(from, sink, stop.signal);
  try {
    await until(() => isEnough(rows), 'the change in the log');
  } finally {
    stop.abort();
    await streaming;
  }
  return { rows, position };
}

async function ask(server: TestServer, text: string): Promise<Record<string, unknown>> {
  const client = new pg.Client({ connectionString: server.url });
  await client.connect();
  try {
    return (await client.query<Record<string, unknown>>(text)).rows[0] ?? {};
  } finally {
    await client.end();
  }
}

it('the log continues on a standby that was promoted, from the saved position and without a sweep', async (test) => {
  const { version } = await ask(
    primary,
    `select current_setting('server_version_num')::integer as version`,
  );
  test.skip(Number(version) < 170_000, 'failover slots need PostgreSQL 17 or newer');
  const before = await connect(primary, [
    'create table accounts (id integer primary key, owner text)',
    "insert into accounts values (1, 'old')",
  ]);
  ({ server: standby } = await startStandby(primary, { copiesSlots: true }));
  const start = await before.source.open(null, null);
  const kept = await before.source.retainedLog();
  expect(kept).toMatchObject({ slot: SLOT, leftBytes: null });
  expect(kept?.bytes).toBeGreaterThanOrEqual(0);

  let round = 0;
  const isCopied = async (): Promise<boolean> => {
    round += 1;
    await before.execute(`update accounts set owner = 'round ${round}' where id = 1`);
    await before.execute('select pg_log_standby_snapshot()');
    const copied = await ask(
      standby,
      `select count(*)::integer as n from pg_replication_slots where slot_name = '${SLOT}' and synced and not temporary`,
    );
    return Number(copied['n']) === 1;
  };
  const { position } = await follow(before.source, start.position, isCopied);
  await until(async () => {
    const { caught } = await ask(
      standby,
      `select pg_last_wal_replay_lsn() >= '${position}'::pg_lsn as caught`,
    );
    return caught === true;
  }, 'the standby');

  await primary.kill();
  await ask(standby, 'select pg_promote()');
  const after = await connect(standby, []);
  const next = await after.source.open(position, null);
  expect(next.gap).toBeNull();
  await after.execute("update accounts set owner = 'new' where id = 1");
  const { rows } = await follow(after.source, next.position, (seen) =>
    Promise.resolve(seen.some(({ after: row }) => row?.['owner'] === 'new')),
  );
  expect(rows.length).toBeGreaterThanOrEqual(1);
});
