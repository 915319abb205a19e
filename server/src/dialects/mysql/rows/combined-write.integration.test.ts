import type { Connection } from 'mysql2';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { makeKey, type Change, type Key } from '../../../domain/index.ts';
import { systemRuntime } from '../../../runtime/index.ts';
import { mysqlNumbers } from '@lockstep/testkit/servers';
import { silentLog } from '@lockstep/testkit/database/open-test-database';
import { config } from '@lockstep/testkit/database/tables';
import { bindResources } from '../../../database/configuration/bind-resources.ts';
import { PooledConnections, type Session } from '../../../database/connections/connections.ts';
import type { Driver } from '../../../database/connections/driver.ts';
import type { RowWrite, RowWriteResult } from '../../../database/port.ts';
import type { Attempt } from '../../../database/write/attempt.ts';
import { SqlRowStore } from '../../../database/write/sql-row-store.ts';
import {
  applied,
  patch,
  put,
  remove,
  unwrap,
  useRowStore,
} from '../../../database/testing/row-store.ts';
import { attemptTogether } from './combined-write.ts';
import { mysqlDriver } from './driver.ts';
import { MysqlRows } from './rows.ts';
import { mysqlCodes } from '../error-codes.ts';

const MOST = 64;
/** Above what 20 MB take on a busy machine. A session waits for a lock as long, but for where it says otherwise. */
const STATEMENT_TIMEOUT_MS = 30_000;
const ids = Array.from({ length: MOST }, (_, index) => index + 1);

/** Writes that go through in one transaction on MySQL and MariaDB. */
describe('combined writes on MySQL and MariaDB', () => {
  const store = useRowStore('mysql2');
  const { account, owned } = store;
  let connections: PooledConnections<Connection>;
  let rows: MysqlRows;
  const opened: PooledConnections<Connection>[] = [];

  const connect = (driver: Driver<Connection> = mysqlDriver): PooledConnections<Connection> => {
    const runtime = systemRuntime(silentLog);
    const made = new PooledConnections(
      {
        connection: store.database.url,
        pool: { min: 0, max: 8 },
        statementTimeoutMs: STATEMENT_TIMEOUT_MS,
        acquireTimeoutMs: 20_000,
        runtime,
      },
      driver,
    );
    opened.push(made);
    return made;
  };
  const rowsOn = (on: PooledConnections<Connection>): MysqlRows =>
    new MysqlRows(on, systemRuntime(silentLog));

  beforeAll(() => {
    connections = connect();
    rows = rowsOn(connections);
  });
  afterEach(() => store.database.execute('delete from lockstep_policies'));
  afterEach(async () => {
    for (const made of opened.splice(1)) await made.close();
  });
  afterAll(() => connections?.close());

  const writeOf = (key: Key, change: Change, rest: Partial<RowWrite> = {}): RowWrite => ({
    key,
    change,
    outbox: false,
    ...rest,
  });
  const together = (...writes: RowWrite[]): Promise<(Attempt | null)[]> =>
    connections.transaction((session) =>
      attemptTogether(session, unwrap(writes[0]).key.resource, writes, rows.outcomes),
    );
  const fill = (through: (id: number) => Key = account): Promise<RowWriteResult[]> =>
    Promise.all(ids.map((id) => store.write(through(id), put({ owner: `o${id}`, balance: 0 }))));
  const versions = (attempts: readonly (Attempt | null)[]): (number | null)[] =>
    attempts.map((attempt) => (attempt?.status === 'applied' ? attempt.version : null));
  /** Another program that holds what `sql` locks while `task` runs. */
  const whileHeld = <T>(sql: string, task: () => Promise<T>): Promise<T> =>
    store.database.sql.transaction(async (session) => {
      await session.run({ mysql2: sql });
      return task();
    });

  it('answers 64 writes of one batch, each with its own version, row and outbox row', async () => {
    await fill(owned);
    await store.write(owned(2), patch({ balance: 5 }));
    const attempts = await together(
      ...ids.map((id) => writeOf(owned(id), patch({}, { balance: String(id) }), { outbox: true })),
    );
    const added = await store.database.sql.run({
      mysql2: 'select id, `key`, version, related from lockstep_outbox',
    });
    for (const [index, attempt] of attempts.entries()) {
      const id = index + 1;
      const row = { id, owner: `o${id}`, balance: id === 2 ? 7 : id };
      expect(attempt).toMatchObject({
        ...{ status: 'applied', created: false, version: id === 2 ? 3 : 2, row },
        related: { before: { owner: `o${id}` }, after: { owner: `o${id}` } },
      });
      const noted = added.rows.find(({ key }) => key === String(id));
      expect(attempt).toMatchObject({ outboxId: noted?.id });
      expect(noted?.version).toBe(id === 2 ? '3' : '2');
      expect(JSON.parse(noted?.related ?? '')).toMatchObject({ after: { owner: `o${id}` } });
      const read = await store.read(owned(id));
      expect(read).toEqual({ version: id === 2 ? 3 : 2, fence: 0, row });
    }
  });

  it('carries out each kind of write as one alone does', async () => {
    await fill();
    const idempotency = { key: 'once', requestHash: 'hash' };
    const attempts = await together(
      writeOf(account(1), patch({ note: 'new' }), { fence: 7, ifMatch: 1 }),
      writeOf(account(2), put({ owner: 'replaced' }), { outbox: true, secondDeleteAfterMs: 5_000 }),
      writeOf(account(3), remove, { outbox: true }),
      writeOf(account(101), put({ owner: 'made' }), { idempotency }),
      writeOf(account(102), put({ owner: 'only made' }, true)),
    );
    expect(attempts).toMatchObject([
      { version: 2, created: false, row: { note: 'new', owner: 'o1' } },
      { version: 2, created: false, row: { owner: 'replaced', balance: 10, note: null } },
      { version: 2, created: false, row: null },
      { version: 1, created: true, row: { owner: 'made', balance: 10, twice: 20 } },
      { version: 1, created: true, row: { owner: 'only made' } },
    ]);
    expect(await store.read(account(1))).toMatchObject({ version: 2, fence: 7 });
    expect(await store.read(account(3))).toEqual({ version: 2, fence: 0, row: null });
    expect(await store.database.rows.findOutcome('once')).toMatchObject({
      result: { status: 'applied', created: true, version: 1, row: { owner: 'made' } },
    });
    await store.expectRows('select id from lockstep_outbox where due_at is null', 2);
    await store.expectRows(
      "select id from lockstep_outbox where `key` = '2' and due_at > now(6) + interval 3 second",
      1,
    );
  });

  it('leaves over what is not admitted or not free, and nothing of it has happened', async () => {
    await fill();
    const idempotency = { key: 'once', requestHash: 'hash' };
    await store.write(account(1), patch({ note: 'first' }), { idempotency });
    await store.database.rows.raiseFence(account(2), 9);
    const change = patch({ note: 'x' });
    const attempts = await whileHeld('select id from accounts where id = 5 for update', () =>
      whileHeld("select version from lockstep_keys where `key` = '6' for update", () =>
        together(
          writeOf(account(1), change, { idempotency }),
          writeOf(account(2), change, { fence: 9 }),
          writeOf(account(3), change, { ifMatch: 4 }),
          writeOf(account(4), put({ owner: 'x' }, true)),
          writeOf(account(5), change),
          writeOf(account(6), change),
          writeOf(account(5_000), change),
          writeOf(account(5_001), remove),
          writeOf(account(8), change, { heldFences: [3] }),
          writeOf(account(7), change),
        ),
      ),
    );
    expect(versions(attempts)).toEqual([null, null, null, null, null, null, null, null, null, 2]);
    for (const id of [2, 3, 4, 5, 6, 8]) {
      expect(await store.read(account(id))).toMatchObject({ version: 1, row: { note: null } });
    }
    await store.expectRows("select 1 from lockstep_keys where `key` in ('5000', '5001')", 0);
  });

  it('leaves over a put whose row another program holds, whether its key was ever written or not', async () => {
    await store.write(account(1), put({ owner: 'ann' }));
    await store.database.execute(`insert into accounts (id, owner) values (2, 'bea')`);
    const attempts = await whileHeld('select id from accounts for update', () =>
      together(
        writeOf(account(1), put({ owner: 'x' })),
        writeOf(account(2), put({ owner: 'y' })),
        writeOf(account(3), put({ owner: 'z' })),
      ),
    );
    expect(versions(attempts)).toEqual([null, null, 1]);
  });

  it('answers no version of a new key that others have added meanwhile', async () => {
    const change = (session: Session): Session => ({
      ...uncommitted(session),
      commitWith: (statements) => session.commitWith(statements),
      runAll: async (statements) => {
        if (statements[0]?.text.startsWith('insert into lockstep_keys') === true) {
          await store.write(account(1), put({ owner: 'others' }));
          await store.write(account(1), remove);
        }
        return session.runAll(statements);
      },
    });
    const writes = [writeOf(account(1), put({ owner: 'ours' }))];
    const attempt = connections.transaction((session) =>
      attemptTogether(change(session), store.resources.account, writes, rows.outcomes),
    );
    await expect(attempt).rejects.toMatchObject({ kind: 'rolled-back', passing: true });
    expect(await store.read(account(1))).toEqual({ version: 2, fence: 0, row: null });
  });

  it('takes no row for a key that its collation only takes for equal', async () => {
    await store.database.execute(
      'create table people (name varchar(50) primary key, age int) collate utf8mb4_general_ci',
    );
    const people = config({
      ...{ name: 'person', table: 'people', key: ['name'], cacheKey: 'person:{name}' },
    });
    const [person] = (await bindResources([people], store.database.catalog)).resources;
    const key = (name: string): Key => makeKey(unwrap(person), [name]);
    await store.write(key('Ann'), put({ age: 1 }));
    await store.write(key('bea'), put({ age: 1 }));
    const attempts = await together(
      writeOf(key('ann'), patch({ age: 2 })),
      writeOf(key('Ann '), remove),
      writeOf(key('bea'), patch({ age: 2 })),
    );
    expect(versions(attempts)).toEqual([null, null, 2]);
    expect(await store.read(key('Ann'))).toMatchObject({ version: 1, row: { age: 1 } });
    await expect(
      together(writeOf(key('ANN'), put({ age: 3 })), writeOf(key('bea'), patch({ age: 3 }))),
    ).rejects.toMatchObject({ kind: 'refused', code: '1062' });
    expect((await store.read(key('bea'))).version).toBe(2);
  });

  it('is refused whole for the sake of one row, and then each is answered by itself', async () => {
    await fill();
    const writes = ids.map((id) =>
      writeOf(account(id), patch({ balance: id === 9 ? -5_000 : id }), { outbox: true }),
    );
    await expect(together(...writes)).rejects.toMatchObject({ kind: 'refused' });
    expect((await store.read(account(1))).version).toBe(1);
    await store.expectRows('select id from lockstep_outbox', 0);
    const results = await Promise.all(writes.map((write) => store.database.rows.write(write)));
    for (const [index, result] of results.entries()) {
      if (index === 8) expect(result).toMatchObject({ refusal: { reason: 'constraint' } });
      else expect(applied(result).version).toBe(2);
    }
  });

  describe('when the policy is switched', () => {
    const at = (epoch: number, id: number): Key =>
      makeKey({ ...store.resources.account, epoch }, [String(id)]);
    const SWITCH = "update lockstep_policies set epoch = epoch + 1 where resource = 'account'";
    const change = patch({ balance: 1 });

    beforeEach(async () => {
      await fill();
      await store.database.execute(
        `insert into lockstep_policies (resource, epoch, is_settled, definition, switched_at) values ('account', 2, true, '', now(6))`,
      );
    });

    it('leaves over the writes of the earlier one (P7)', async () => {
      const of = (epoch: number): Promise<(Attempt | null)[]> =>
        together(writeOf(at(epoch, 1), change), writeOf(at(epoch, 2), change));
      expect(versions(await of(1))).toEqual([null, null]);
      expect(versions(await of(2))).toEqual([2, 2]);
    });

    it('refuses each write that was on its way meanwhile, and waits a second at most (P7)', async () => {
      const startedAtMs = performance.now();
      await whileHeld(SWITCH, () =>
        expect(together(writeOf(at(2, 1), change))).rejects.toMatchObject({ passing: true }),
      );
      expect(performance.now() - startedAtMs).toBeLessThan(STATEMENT_TIMEOUT_MS / 2);
      const { writes } = await whileHeld(SWITCH, async () => {
        const many = ids.map((id) => store.write(at(3, id), change));
        const answered = Promise.allSettled(many);
        await store.blocked(2);
        return { writes: answered };
      });
      for (const answer of await writes)
        expect(answer).toMatchObject({ reason: { code: 'FENCED', outcome: 'not_applied' } });
      for (const id of ids) expect((await store.read(account(id))).version).toBe(1);
    });
  });

  it('goes through alone what a deadlock with another program has taken back', async () => {
    await fill();
    const writes = ids.map((id) => store.write(account(id), patch({ owner: `new${id}` })));
    expect((await Promise.all(writes)).every(({ status }) => status === 'applied')).toBe(true);
    let many: Promise<RowWriteResult[]> | undefined;
    const other = store.database.sql.transaction(async (session) => {
      const run = (mysql2: string) => session.run({ mysql2 });
      await run(`insert into accounts (id, owner) values (900, 'taken')`);
      const change = (id: number): Change => patch(id === 30 ? { owner: 'taken' } : { balance: 1 });
      many = Promise.all(ids.map((id) => store.write(account(id), change(id))));
      await store.blocked(1);
      await run('update accounts set balance = balance + 100 where id between 1 and 64');
    });
    const isCommitted = await other.then(
      () => true,
      () => false,
    );
    const results = await unwrap(many);
    for (const [index, result] of results.entries()) {
      if (index === 29 && isCommitted)
        expect(result).toMatchObject({ refusal: { reason: 'constraint' } });
      else expect(applied(result).version).toBe(3);
    }
  });

  it('waits no longer than a second for a value that another program is inserting', async () => {
    await fill();
    await whileHeld(`insert into accounts (id, owner) values (900, 'taken')`, async () => {
      const startedAtMs = performance.now();
      await expect(
        together(
          writeOf(account(1), patch({ owner: 'taken' })),
          writeOf(account(2), patch({ balance: 1 })),
        ),
      ).rejects.toMatchObject({ kind: 'rolled-back', passing: true });
      expect(performance.now() - startedAtMs).toBeLessThan(STATEMENT_TIMEOUT_MS / 2);
    });
    const waits = await connections.use((session) => lockWaitOf(session));
    expect(waits).toBe(String(STATEMENT_TIMEOUT_MS / 1_000));
  });

  it('leaves the outcome of each unknown when the commit gets no answer', async () => {
    await fill();
    const losing: Driver<Connection> = {
      ...mysqlDriver,
      runAll: async (connection, statements) => {
        const results = await unwrap(mysqlDriver.runAll)(connection, statements);
        if (statements.at(-1)?.text !== 'commit') return results;
        connection.destroy();
        throw new Error('the answer is lost');
      },
    };
    const on = connect(losing);
    const lossy = new SqlRowStore({
      connections: on,
      dialect: rowsOn(on),
      codes: mysqlCodes,
      queries: { read: () => Promise.resolve([]) },
    });
    const answers = await Promise.allSettled(
      ids.map((id) => lossy.write(writeOf(account(id), patch({}, { balance: '1' })))),
    );
    for (const [index, answer] of answers.entries()) {
      expect(answer).toMatchObject({
        reason: { code: 'OUTCOME_UNKNOWN', outcome: 'unknown' },
      });
      expect(await store.read(account(index + 1))).toMatchObject({
        version: 2,
        row: { balance: 1 },
      });
    }
  });

  it('applies nothing when a connection is lost before the commit is sent', async () => {
    await fill();
    const losing: Driver<Connection> = {
      ...mysqlDriver,
      runAll: (connection, statements) => {
        if (statements.at(-1)?.text !== 'commit')
          return unwrap(mysqlDriver.runAll)(connection, statements);
        connection.destroy();
        return Promise.reject(new Error('never sent'));
      },
    };
    const on = connect(losing);
    const lossy = new SqlRowStore({
      connections: on,
      dialect: rowsOn(on),
      codes: mysqlCodes,
      queries: { read: () => Promise.resolve([]) },
    });
    const answers = await Promise.allSettled(
      ids.map((id) => lossy.write(writeOf(account(id), patch({ balance: 1 })))),
    );
    expect(answers.every(({ status }) => status === 'rejected')).toBe(true);
    for (const id of ids) expect((await store.read(account(id))).version).toBe(1);
  });

  it('sends no message that is larger than the server takes', async () => {
    await store.database.execute('create table large (id int primary key, body longtext)');
    const [resource] = (
      await bindResources([config({ name: 'large', table: 'large' })], store.database.catalog)
    ).resources;
    // More than the 16 MiB that MariaDB takes by default.
    const body = 'x'.repeat(300_000);
    const attempts = await together(
      ...ids.map((id) =>
        writeOf(makeKey(unwrap(resource), [String(id)]), put({ body: `${body}${id}` })),
      ),
    );
    for (const [index, attempt] of attempts.entries())
      expect(attempt?.status === 'applied' && attempt.row?.body === `${body}${index + 1}`).toBe(
        true,
      );
  });

  it('keeps values values, whatever statements they look like', async () => {
    const body = `'; delete from notes; -- \\'; delete from notes; \0 ? :key "`;
    const shelf = `\\'; delete from notes; -- `;
    const keys = ids.map((id) => makeKey(store.resources.note, [shelf, String(id)]));
    for (const key of keys.slice(0, 3)) await store.write(key, put({ body }));
    const attempts = await together(
      ...keys.map((key) => writeOf(key, put({ body }), { outbox: true })),
    );
    for (const attempt of attempts) expect(attempt).toMatchObject({ row: { shelf, body } });
    await store.expectRows('select 1 from notes', MOST);
  });

  it('locks no other rows than those that it writes, in a table of 100,000', async () => {
    await store.database.execute(
      'create table many (id int primary key, code varchar(20) not null unique, n int)',
    );
    await store.database.execute(
      `insert into many select n, concat('c', n), 0 from ${mysqlNumbers(100_000)}`,
    );
    const [resource] = (
      await bindResources([config({ name: 'many', table: 'many' })], store.database.catalog)
    ).resources;
    const writes = ids.map((id) =>
      writeOf(makeKey(unwrap(resource), [String(id * 1_000)]), patch({ n: id })),
    );
    const locked = await connections.transaction(async (session) => {
      await attemptTogether(uncommitted(session), unwrap(resource), writes, rows.outcomes);
      const sql =
        'select trx_rows_locked from information_schema.innodb_trx where trx_mysql_thread_id = connection_id()';
      return Number((await session.run({ text: sql, values: [] })).rows[0]?.[0]);
    });
    expect(locked).toBeGreaterThanOrEqual(MOST);
    // The row, its key, and its key again where the version is counted up.
    expect(locked).toBeLessThanOrEqual(4 * MOST);
  });

  it('is what writes go through that come at once', async () => {
    await fill();
    const sent: string[] = [];
    const watching: Driver<Connection> = {
      ...mysqlDriver,
      runAll: (connection, statements) => {
        sent.push(unwrap(statements.at(-1)).text);
        return unwrap(mysqlDriver.runAll)(connection, statements);
      },
    };
    const on = connect(watching);
    const watched = new SqlRowStore({
      connections: on,
      dialect: rowsOn(on),
      codes: mysqlCodes,
      queries: { read: () => Promise.resolve([]) },
    });
    const results = await Promise.all(
      ids.map((id) => watched.write(writeOf(account(id), patch({ balance: id })))),
    );
    for (const result of results) expect(applied(result).version).toBe(2);
    expect(sent.filter((text) => text === 'commit').length).toBeLessThan(MOST / 4);
  });
});

const lockWaitOf = async (session: Session): Promise<string> =>
  String(
    (await session.run({ text: 'select @@session.innodb_lock_wait_timeout', values: [] }))
      .rows[0]?.[0],
  );

/** The session without its commit. */
const uncommitted = (session: Session): Session => ({
  run: (sql) => session.run(sql),
  runAll: (statements) => session.runAll(statements),
  runTogether: (statements) => session.runTogether(statements),
  nested: (task) => session.nested(task),
  commitWith: (statements) => session.runAll(statements),
});
