import type { Connection } from 'mysql2';
import { afterEach, describe, expect, it } from 'vitest';
import { makeKey, type Key } from '../../../domain/index.ts';
import { systemRuntime } from '../../../runtime/index.ts';
import { silentLog } from '@lockstep/testkit/database/open-test-database';
import { config } from '@lockstep/testkit/database/tables';
import { bindResources } from '../../../database/configuration/bind-resources.ts';
import { PooledConnections } from '../../../database/connections/connections.ts';
import type { Driver } from '../../../database/connections/driver.ts';
import type { RowWrite, RowWriteResult } from '../../../database/port.ts';
import { SqlRowStore } from '../../../database/write/sql-row-store.ts';
import { patch, put, remove, unwrap, useRowStore } from '../../../database/testing/row-store.ts';
import { mysqlDriver } from './driver.ts';
import { MysqlRows } from './rows.ts';
import { mysqlCodes } from '../error-codes.ts';

const MOST = 64;

type Ended = RowWriteResult | Error | null;

/** Writes of one key that go through in one transaction on MySQL and MariaDB. */
describe('ordered writes on MySQL and MariaDB', () => {
  const store = useRowStore('mysql2');
  const { account, read } = store;
  const opened: PooledConnections<Connection>[] = [];
  afterEach(async () => {
    for (const made of opened.splice(0)) await made.close();
  });

  const openOn = (driver: Driver<Connection>) => {
    const runtime = systemRuntime(silentLog);
    const connections = new PooledConnections(
      {
        connection: store.database.url,
        pool: { min: 0, max: 8 },
        statementTimeoutMs: 5_000,
        acquireTimeoutMs: 20_000,
        runtime,
      },
      driver,
    );
    opened.push(connections);
    const rows = new MysqlRows(connections, runtime);
    return {
      rows,
      store: new SqlRowStore({
        connections: connections,
        dialect: rows,
        codes: mysqlCodes,
        queries: { read: () => Promise.resolve([]) },
      }),
    };
  };
  /** A store, and the last statement of each message that it has sent. */
  const watched = () => {
    const sent: string[] = [];
    const watching: Driver<Connection> = {
      ...mysqlDriver,
      run: (connection, sql) => {
        sent.push(sql.text);
        return mysqlDriver.run(connection, sql);
      },
      runAll: (connection, statements) => {
        sent.push(unwrap(statements.at(-1)).text);
        return unwrap(mysqlDriver.runAll)(connection, statements);
      },
    };
    return { ...openOn(watching), sent };
  };
  const one = (rest: Partial<RowWrite> & Pick<RowWrite, 'change'>): RowWrite => ({
    key: account(1),
    outbox: false,
    ...rest,
  });
  const steps = (count: number, rest: Partial<RowWrite> = {}): RowWrite[] =>
    Array.from({ length: count }, () => one({ change: patch({}, { balance: '1' }), ...rest }));
  const fill = () => store.write(account(1), put({ owner: 'o', balance: 0, note: 'n' }));
  const statuses = (ended: readonly Ended[]): string[] =>
    ended.map((each) =>
      each === null ? 'not sent' : each instanceof Error ? each.message : each.status,
    );
  const commits = (sent: readonly string[]): number =>
    sent.filter((text) => text === 'commit').length;

  it('W16: are two round trips and one commit', async () => {
    await fill();
    const { store: on, sent } = watched();
    const idempotency = { key: 'once', requestHash: 'hash' };
    const writes = [
      ...steps(MOST - 3, { outbox: true, secondDeleteAfterMs: 5_000 }),
      one({ change: patch({ note: 'kept' }), idempotency }),
      one({ change: remove, outbox: true }),
      one({ change: put({ owner: 'again' }, true), outbox: true }),
    ];
    const ended = await on.writeInOrder(writes);
    expect(statuses(ended)).toEqual(writes.map(() => 'applied'));
    expect(sent).toHaveLength(2);
    expect(sent.at(-1)).toBe('commit');
    expect(await read(account(1))).toMatchObject({ version: MOST + 1, row: { owner: 'again' } });
    await store.expectRows('select id from lockstep_outbox', 2 * (MOST - 3) + 2);
    expect(await on.findOutcome('once')).toMatchObject({
      result: { status: 'applied', version: MOST - 1, row: { note: 'kept', balance: MOST - 3 } },
    });
  });

  it('W16: are looked at first, and still one commit, if one is conditional or the row is not as foreseen', async () => {
    const { store: on, sent } = watched();
    const made = await on.writeInOrder([one({ change: put({ owner: 'o' }) }), ...steps(2)]);
    expect(statuses(made)).toEqual(['applied', 'applied', 'applied']);
    expect(commits(sent)).toBe(1);
    const ended = await on.writeInOrder([...steps(2, { ifMatch: 3 }), ...steps(2)]);
    expect(statuses(ended)).toEqual(['applied', 'refused', 'applied', 'applied']);
    expect(commits(sent)).toBe(2);
    expect(await read(account(1))).toMatchObject({ version: 6, row: { balance: 15 } });
  });

  it.each([
    [0, 4],
    [3, 2],
    [4, 1],
  ])(
    'W16: of which the one at %i is refused: those before it share a transaction again, so that there are %i commits',
    async (at, count) => {
      await fill();
      const { store: on, sent } = watched();
      const writes = steps(5);
      writes[at] = one({ change: patch({ balance: -5_000 }) });
      const ended = await on.writeInOrder(writes);
      expect(statuses(ended)).toEqual(
        writes.map((_, index) => (index === at ? 'refused' : 'applied')),
      );
      expect(commits(sent)).toBe(count);
    },
  );

  it('W8: of callers that come at once share transactions', async () => {
    await fill();
    const { store: on, sent } = watched();
    const ended = await Promise.all(steps(MOST).map((write) => on.write(write)));
    expect(statuses(ended)).toEqual(ended.map(() => 'applied'));
    expect(commits(sent)).toBeLessThanOrEqual(3);
    expect(await read(account(1))).toMatchObject({ version: MOST + 1, row: { balance: MOST } });
  });

  it('W4: are all unknown when their commit gets no answer, and not applied when it was never sent', async () => {
    await fill();
    const losing = (isSent: boolean): Driver<Connection> => ({
      ...mysqlDriver,
      runAll: async (connection, statements) => {
        const isCommit = statements.at(-1)?.text === 'commit';
        const runAll = unwrap(mysqlDriver.runAll);
        if (!isCommit) return runAll(connection, statements);
        if (isSent) await runAll(connection, statements);
        connection.destroy();
        throw new Error('no answer');
      },
    });
    for (const isSent of [false, true]) {
      const { store: on } = openOn(losing(isSent));
      const ended = await on.writeInOrder(steps(3));
      expect(ended).toMatchObject(ended.map(() => ({ code: 'OUTCOME_UNKNOWN' })));
    }
    expect(await read(account(1))).toMatchObject({ version: 4, row: { balance: 3 } });
  });

  it('W17: are not applied when the connection is lost before the commit is sent', async () => {
    await fill();
    const { store: on } = openOn({
      ...mysqlDriver,
      runAll: (connection) => {
        connection.destroy();
        return Promise.reject(new Error('no answer'));
      },
    });
    const ended = await on.writeInOrder(steps(3));
    expect(ended).toMatchObject(
      ended.map(() => ({ code: 'DATABASE_UNAVAILABLE', outcome: 'not_applied' })),
    );
    expect((await read(account(1))).version).toBe(1);
  });

  it('take no row for a key that its collation only takes for equal', async () => {
    await store.database.execute(
      'create table people (name varchar(50) primary key, age int) collate utf8mb4_general_ci',
    );
    const people = config({
      ...{ name: 'person', table: 'people', key: ['name'], cacheKey: 'person:{name}' },
    });
    const [person] = (await bindResources([people], store.database.catalog)).resources;
    const key = (name: string): Key => makeKey(unwrap(person), [name]);
    await store.write(key('Ann'), put({ age: 1 }));
    const ended = await store.database.rows.writeInOrder([
      one({ key: key('ann'), change: patch({ age: 2 }) }),
      one({ key: key('ann'), change: put({ age: 2 }) }),
    ]);
    expect(statuses(ended)).toEqual(['refused', 'refused']);
    expect(await read(key('Ann'))).toMatchObject({ version: 1, row: { age: 1 } });
    await store.expectRows("select 1 from lockstep_keys where `key` = 'ann'", 0);
  });

  it('go alone if their tables were described anew in between', async () => {
    await fill();
    const anew = makeKey({ ...store.resources.account }, ['1']);
    const writes = [...steps(1), ...steps(1, { key: anew }), ...steps(1)];
    const ended = await store.database.rows.writeInOrder(writes);
    expect(statuses(ended)).toEqual(['applied', 'applied', 'applied']);
  });

  it('send no message that is larger than the server takes', async () => {
    await store.database.execute('create table bulky (id int primary key, body longtext)');
    const [resource] = (
      await bindResources([config({ name: 'bulky', table: 'bulky' })], store.database.catalog)
    ).resources;
    const key = makeKey(unwrap(resource), ['1']);
    await store.write(key, put({ body: '' }));
    // More than the 16 MiB that MariaDB takes by default.
    const body = 'x'.repeat(300_000);
    const { store: on, sent } = watched();
    const ended = await on.writeInOrder(
      Array.from({ length: MOST }, (_, index) =>
        one({ key, change: patch({ body: `${body}${index}` }) }),
      ),
    );
    expect(statuses(ended)).toEqual(ended.map(() => 'applied'));
    expect(commits(sent)).toBe(1);
  });
});
