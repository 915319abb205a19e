import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { isDerived, type Key, makeKey, type Resource } from '../../domain/index.ts';
import { installedClients } from '@lockstep/testkit/servers';
import { bindResources, type ResourceConfig } from '../configuration/bind-resources.ts';
import { createOwnerTables, derivedConfig } from '../testing/derived.ts';
import { openTestDatabase, type TestDatabase } from '@lockstep/testkit/database/open-test-database';
import { config } from '@lockstep/testkit/database/tables';
import { applied, patch, put, remove, unwrap } from '../testing/row-store.ts';

const ACCOUNT = config({ policy: 'delete-after-write' });
const query = unwrap(derivedConfig().derived);
const withText = (text: string): Partial<typeof query> => ({
  source: { kind: 'query', text, maxRows: 3 },
});

/** Derived resources against a real server. */
describe.each(installedClients())('derived queries on %s', (client) => {
  let database: TestDatabase;
  beforeAll(async () => {
    database = await openTestDatabase(client);
    await createOwnerTables(database);
  });
  afterAll(() => database?.drop());
  beforeEach(async () => {
    await database.execute('delete from accounts');
    await database.execute('delete from cards');
  });

  const bind = async (...configs: ResourceConfig[]): Promise<Resource[]> => {
    const { resources, faults } = await bindResources(configs, database.catalog);
    expect(faults).toEqual([]);
    return resources;
  };
  const faultsOf = async (derived: Partial<typeof query>): Promise<string[]> => {
    const configs = [ACCOUNT, derivedConfig({ derived: { ...query, ...derived } })];
    const { faults } = await bindResources(configs, database.catalog);
    return faults.map(({ path, message }) => `${path} ${message}`);
  };
  const read = async (key: Key): Promise<unknown> => (await database.rows.read(key)).row;
  const derivedOf = async (rest: Partial<typeof query> = {}): Promise<Resource> => {
    const configs = [ACCOUNT, derivedConfig({ derived: { ...query, ...rest } })];
    return unwrap((await bind(...configs)).find(isDerived));
  };

  it('answers the rows of its parameters, and an empty list where there are none (D1)', async () => {
    const owned = await derivedOf();
    await database.execute(
      `insert into accounts (id, owner, balance) values (2, 'ann', 20), (1, 'ann', 9007199254740993), (3, 'bea', 5)`,
    );
    expect(await read(makeKey(owned, ['ann']))).toEqual({
      rows: [
        { id: 1, balance: '9007199254740993' },
        { id: 2, balance: 20 },
      ],
    });
    expect(await read(makeKey(owned, ['nobody']))).toEqual({ rows: [] });
    const many = await database.rows.readMany(owned, [
      makeKey(owned, ['bea']),
      makeKey(owned, ['ann']),
    ]);
    expect(many.map(({ version, row }) => [version, (row?.rows as unknown[]).length])).toEqual([
      [0, 1],
      [0, 2],
    ]);
  });

  it('binds its parameters, whatever they hold (D1)', async () => {
    const owned = await derivedOf();
    const hostile = `'; drop table accounts; -- {owner} $1 ? \\`;
    expect(await read(makeKey(owned, [hostile]))).toEqual({ rows: [] });
    expect(await read(makeKey(owned, [`' or '1' = '1`]))).toEqual({ rows: [] });
  });

  it('answers in one order where the query has none (D1)', async () => {
    const owned = await derivedOf(withText('select id from accounts where owner = {owner}'));
    await database.execute(`insert into accounts (id, owner) values (3, 'ann'), (1, 'ann')`);
    expect(await read(makeKey(owned, ['ann']))).toEqual({ rows: [{ id: 1 }, { id: 3 }] });
  });

  it('refuses an answer of more rows than are allowed (D2)', async () => {
    const owned = await derivedOf();
    const values = [1, 2, 3, 4].map((id) => `(${id}, 'ann')`).join();
    await database.execute(`insert into accounts (id, owner) values ${values}`);
    await expect(read(makeKey(owned, ['ann']))).rejects.toMatchObject({ code: 'TOO_LARGE' });
    const limited = await derivedOf(
      withText('select id from accounts where owner = {owner} order by id limit 2'),
    );
    expect(await read(makeKey(limited, ['ann']))).toEqual({ rows: [{ id: 1 }, { id: 2 }] });
  });

  it('is never written (D2)', async () => {
    const owned = await derivedOf();
    const write = { key: makeKey(owned, ['ann']), change: remove, outbox: false };
    await expect(database.rows.write(write)).rejects.toMatchObject({ code: 'INVALID' });
    await expect(database.rows.writeTogether({ writes: [write] })).rejects.toMatchObject({
      code: 'INVALID',
    });
  });

  it('cannot change the database, whatever the query says (D2)', async () => {
    expect(
      await faultsOf(
        withText(
          `with gone as (delete from accounts where owner = {owner} returning id) select id from gone`,
        ),
      ),
    ).toEqual([expect.stringMatching(/^resources\.owner-accounts\.query the database/)]);
    expect(await faultsOf(withText('delete from accounts where owner = {owner}'))).toEqual([
      expect.stringContaining('is no select'),
    ]);
  });

  it('names each fault with its path (D3)', async () => {
    expect(await faultsOf(withText('select 1 as one'))).toEqual([
      expect.stringMatching(/^resources\.owner-accounts\.parameters\.owner is not in the query/),
    ]);
    expect(await faultsOf(withText('select {owner}, {other} from accounts'))).toEqual([
      expect.stringMatching(/^resources\.owner-accounts\.query names \{other\}; allowed: \{owner/),
    ]);
    expect(await faultsOf(withText('select x from accounts where owner = {owner}'))).toEqual([
      expect.stringMatching(/^resources\.owner-accounts\.query the database does not take it/),
    ]);
    const dependsOn = [
      { table: 'accounts', key: { owner: 'nobody' } },
      { table: 'nothing', key: { owner: 'owner' } },
      { table: 'accounts', key: { owner: 'id' } },
    ];
    expect(await faultsOf({ dependsOn })).toEqual([
      expect.stringMatching(/^resources\.owner-accounts\.dependsOn\.0\.key\.owner there is no/),
      expect.stringMatching(/^resources\.owner-accounts\.dependsOn\.1\.table there is no table/),
      expect.stringMatching(/dependsOn\.2\.key\.owner id is of type int.*allowed: .* text/),
    ]);
  });

  it('refuses a column that takes different texts for equal (D3)', async () => {
    const type = client === 'pg' ? 'text collate loose' : 'varchar(40) collate utf8mb4_general_ci';
    if (client === 'pg') {
      await database.execute(
        `create collation loose (provider = icu, locale = 'und-u-ks-level2', deterministic = false)`,
      );
    }
    await database.execute(`create table loose_ones (id integer primary key, owner ${type})`);
    const dependsOn = [{ table: 'loose_ones', key: { owner: 'owner' } }];
    expect(await faultsOf({ dependsOn })).toEqual([
      expect.stringContaining('owner takes different texts for equal'),
    ]);
  });

  it('is one answer for texts that differ in blanks at the end where the database says so (D4)', async () => {
    const padded = client === 'pg' ? 'character(10)' : 'varchar(40) collate utf8mb4_bin';
    await database.execute(`create table padded_ones (id integer primary key, owner ${padded})`);
    const dependsOn = [{ table: 'padded_ones', key: { owner: 'owner' } }];
    const padding = derivedConfig({ derived: { ...query, dependsOn } });
    const owned = unwrap((await bind(padding)).find(isDerived));
    const [dependency] = owned.derivation.dependsOn;
    const invalidated = dependency?.cacheKey.render({ owner: 'ann' });
    for (const name of ['ann', 'ann  ']) expect(makeKey(owned, [name]).cacheKey).toBe(invalidated);
  });

  it('has a value and no rows of its own where a client computes it (D11)', async () => {
    const configs = [
      ACCOUNT,
      derivedConfig({ derived: { ...query, source: { kind: 'loader' } }, negativeTtlMs: 7 }),
    ];
    const [account, computed] = await bind(...configs);
    const key = makeKey(unwrap(computed), ['ann']);
    expect(key.resource.columns.map(({ name }) => name)).toEqual(['value']);
    expect(unwrap(account).invalidates.map(({ text }) => text)).toEqual([
      key.resource.cacheKey.text,
    ]);
    await expect(database.rows.read(key)).rejects.toMatchObject({ code: 'NOT_CACHED' });
    await expect(database.rows.readMany(key.resource, [key])).rejects.toMatchObject({
      code: 'NOT_CACHED',
    });
    const write = { key, change: remove, outbox: false };
    await expect(database.rows.write(write)).rejects.toThrow('is computed; write its tables');
    expect(await database.rows.sampleKeys(key.resource, 5)).toEqual([]);
  });

  it('tells a write’s outbox row and answer which answers it makes wrong, before and after (D4)', async () => {
    const [account, owned] = await bind(ACCOUNT, derivedConfig());
    const key = makeKey(unwrap(account), ['1']);
    const wrong = (result: Parameters<typeof applied>[0]): unknown => applied(result).related;
    const write = (change: ReturnType<typeof put>) =>
      database.rows.write({ key, change, outbox: true });
    expect(unwrap(account).invalidates.map(({ text }) => text)).toEqual([
      unwrap(owned).cacheKey.text,
    ]);
    expect(wrong(await write(put({ owner: 'ann' })))).toEqual({
      before: null,
      after: { owner: 'ann' },
    });
    expect(wrong(await write(patch({ owner: 'bea' })))).toEqual({
      before: { owner: 'ann' },
      after: { owner: 'bea' },
    });
    expect(wrong(await write(patch({ balance: 1 })))).toEqual({
      before: { owner: 'bea' },
      after: { owner: 'bea' },
    });
    expect(wrong(await write(put({ owner: null })))).toEqual({
      before: { owner: 'bea' },
      after: { owner: null },
    });
    await write(patch({ owner: 'cat' }));
    expect(wrong(await write(remove))).toEqual({ before: { owner: 'cat' }, after: null });
  });

  it('is told of writes to its table under whatever name (D4)', async () => {
    const { rows } = await database.sql.run({
      pg: 'select current_schema() as name',
      mysql2: 'select database() as name',
    });
    const [row] = rows;
    const dependsOn = [{ table: `${row?.name}.accounts`, key: { owner: 'owner' } }];
    const [account] = await bind(ACCOUNT, derivedConfig({ derived: { ...query, dependsOn } }));
    expect(unwrap(account).invalidates.map(({ text }) => text)).toEqual(['owner:{owner}:accounts']);
  });

  it('takes values of every kind as a read of the table answers them (D1)', async () => {
    const both = {
      pg: `select 1.50::numeric(4, 2) as price, true as yes, timestamptz '2026-01-02 03:04:05.6+00' as at,
          date '2026-01-02' as day, '\\x0aff'::bytea as raw, '{"a": [1]}'::jsonb as doc, 0.5::float8 as half, null as nothing
          from accounts where owner = {owner}`,
      mysql2: `select cast(1.5 as decimal(4, 2)) as price, timestamp '2026-01-02 03:04:05.6' as at,
          date '2026-01-02' as day, x'0aff' as raw, 0.5e0 as half, null as nothing
          from accounts where owner = {owner}`,
    };
    const owned = await derivedOf(withText(both[client]));
    await database.execute(`insert into accounts (id, owner) values (1, 'ann')`);
    expect(await read(makeKey(owned, ['ann']))).toEqual({
      rows: [
        {
          price: '1.50',
          at: expect.stringMatching(/^2026-01-02T03:04:05\.6/) as unknown,
          day: '2026-01-02',
          raw: 'Cv8=',
          half: 0.5,
          nothing: null,
          ...(client === 'pg' ? { yes: true, doc: { a: [1] } } : {}),
        },
      ],
    });
  });
});
