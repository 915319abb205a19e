/**
 * Tables that are altered, truncated, exchanged or made anew under the traffic of two coordinators, without the change
 * log: nothing old stays, no strict read is behind a write, and no entity tag comes again for another row.
 */
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { ApiClient, type Answer } from '../support/api-client.ts';
import { startExternalServers, type ExternalServers } from '../support/external-servers.ts';
import { type Instance, startInstance } from '@lockstep/testkit/instances/instance';
import { eventually } from '@lockstep/testkit/poll';
import type { SqlClient } from '../support/shop.ts';
import { openSideDoor, type SideDoor } from '../support/side-door.ts';

interface Case {
  name: string;
  /** Statements, with `:t` for the table. Several are no transaction, but on PostgreSQL where `together` is set. */
  ddl: Partial<Record<SqlClient, readonly string[]>>;
  together?: true;
  /** What the rows of keys 1 to 3 and of key 9 are then; null: there is none. */
  after: { busy: 'there' | 'gone'; quiet: object | null };
  /** The table is away, or without rows, for a moment. */
  isGone?: true;
}

const both = (...statements: string[]): Case['ddl'] => ({ pg: statements, mysql2: statements });
const MADE = 'create table :t_new (id int primary key, n int, note varchar(20))';
const FILLED = `insert into :t_new values (1, 0, 'new'), (2, 0, 'new'), (3, 0, 'new'), (9, 5, 'new')`;
const NEW = { id: 9, n: 5, note: 'new' };

const CASES: readonly Case[] = [
  {
    name: 'another type',
    ddl: {
      pg: ['alter table :t alter column n type numeric(20, 2)'],
      mysql2: ['alter table :t modify n decimal(20, 2)'],
    },
    after: { busy: 'there', quiet: { id: 9, n: '0.00', note: 'old' } },
  },
  {
    name: 'a column more',
    ddl: both('alter table :t add column made int default 7'),
    after: { busy: 'there', quiet: { id: 9, n: 0, note: 'old', made: 7 } },
  },
  {
    name: 'a column less',
    ddl: both('alter table :t drop column note'),
    after: { busy: 'there', quiet: { id: 9, n: 0 } },
  },
  {
    name: 'another name of a column',
    ddl: both('alter table :t rename column note to remark'),
    after: { busy: 'there', quiet: { id: 9, n: 0, remark: 'old' } },
  },
  {
    name: 'another table under its name',
    ddl: {
      pg: [MADE, FILLED, 'alter table :t rename to :t_old', 'alter table :t_new rename to :t'],
      mysql2: [MADE, FILLED, 'rename table :t to :t_old, :t_new to :t'],
    },
    together: true,
    after: { busy: 'there', quiet: NEW },
  },
  {
    name: 'a table that is dropped and made anew',
    ddl: both('drop table :t', MADE.replace(':t_new', ':t'), FILLED.replace(':t_new', ':t')),
    isGone: true,
    after: { busy: 'there', quiet: NEW },
  },
  {
    name: 'no rows any more (truncate)',
    ddl: both('truncate table :t'),
    after: { busy: 'gone', quiet: null },
  },
  {
    name: 'other rows under its keys (truncate)',
    ddl: both('truncate table :t', FILLED.replace(':t_new', ':t')),
    isGone: true,
    after: { busy: 'there', quiet: NEW },
  },
  {
    name: 'a partition less',
    ddl: { pg: ['drop table :t_high'], mysql2: ['alter table :t drop partition high'] },
    after: { busy: 'there', quiet: null },
  },
  {
    name: 'a partition that is emptied',
    ddl: { pg: ['truncate table :t_high'], mysql2: ['alter table :t truncate partition high'] },
    after: { busy: 'there', quiet: null },
  },
  {
    name: 'another partition in the place of one',
    ddl: {
      pg: [
        'create table :t_new (id int not null, n int, note varchar(20))',
        `insert into :t_new values (9, 5, 'new')`,
        'alter table :t detach partition :t_high',
        'alter table :t attach partition :t_new for values from (5) to (10)',
      ],
      mysql2: [
        MADE,
        `insert into :t_new values (9, 5, 'new')`,
        'alter table :t exchange partition high with table :t_new',
      ],
    },
    after: { busy: 'there', quiet: NEW },
  },
];

const POLICIES = { strict: 'strict', after: 'delete-after-write' };
const FOLLOWED = { withinMs: 45_000, everyMs: 20 };

const hasPartitions = ({ name }: Case): boolean => name.includes('partition');
const tableOf = (index: number, policy: string): string => `moved_${index}_${policy}`;

function tableSql(client: SqlClient, table: string, isPartitioned: boolean): string[] {
  const columns = '(id int primary key, n int, note varchar(20))';
  const rows = `insert into ${table} values (1, 0, 'old'), (2, 0, 'old'), (3, 0, 'old'), (9, 0, 'old')`;
  if (!isPartitioned) return [`create table ${table} ${columns}`, rows];
  if (client === 'mysql2') {
    const parts = '(partition low values less than (5), partition high values less than (10))';
    return [`create table ${table} ${columns} partition by range (id) ${parts}`, rows];
  }
  return [
    `create table ${table} ${columns} partition by range (id)`,
    `create table ${table}_low partition of ${table} for values from (0) to (5)`,
    `create table ${table}_high partition of ${table} for values from (5) to (10)`,
    rows,
  ];
}

describe.each<SqlClient>(['pg', 'mysql2'])(
  'tables that change under two coordinators on %s',
  (client) => {
    let servers: ExternalServers;
    const instances: Instance[] = [];
    let apis: ApiClient[] = [];
    let behind: SideDoor;
    let seeds: SideDoor;

    beforeAll(async () => {
      servers = await startExternalServers(client);
      const urls = { databaseUrl: servers.connection, cacheUrl: servers.cache.url, lockUrls: [] };
      seeds = openSideDoor({
        ...urls,
        url: '',
        pid: 0,
        adminToken: '',
        serviceToken: '',
        processes: [],
      });
      const resources: Record<string, object> = {};
      for (const [index, each] of CASES.entries()) {
        for (const [short, policy] of Object.entries(POLICIES)) {
          const table = tableOf(index, short);
          for (const statement of tableSql(client, table, hasPartitions(each)))
            await seeds.sql(statement);
          resources[table] = { table, key: ['id'], policy, ttl: '1h', negativeTtl: '1h' };
        }
      }
      for (let index = 0; index < 2; index += 1)
        instances.push(await startInstance({ config: { ...servers.config, resources } }));
      apis = instances.map(({ runtime }) => new ApiClient(runtime.url, runtime.adminToken));
      behind = openSideDoor(at(instances, 0).runtime);
    });
    afterAll(async () => {
      await Promise.all(apis.map((api) => api.close()));
      await behind.close();
      await seeds.close();
      await Promise.all(instances.map((instance) => instance.dispose()));
      await servers.stop();
    });

    const api = (index: number): ApiClient => at(apis, index % apis.length);
    let isOver = true;
    let traffic: Promise<void>[] = [];
    const failures: Answer[] = [];
    const stale: string[] = [];

    /** Adds and reads through both, until `end`. */
    function begin(resource: string): void {
      isOver = false;
      failures.length = 0;
      stale.length = 0;
      traffic = [1, 2, 3].map(async (id) => {
        for (let turn = id; !isOver; turn += 1) {
          const written = await api(turn).patch(resource, id, { $inc: { n: 1 } });
          const read = await api(turn + 1).get(resource, id);
          failures.push(...[written, read].filter(({ status }) => status !== 200));
          const isOld = Number(read.body.version) < Number(written.body.version);
          if (written.status === 200 && read.status === 200 && isOld)
            stale.push(`${String(read.body.version)} after ${String(written.body.version)}`);
        }
      });
    }
    async function end(): Promise<void> {
      isOver = true;
      await Promise.all(traffic);
    }
    afterEach(end);

    async function carryOut({ ddl, together }: Case, table: string): Promise<void> {
      const statements = (ddl[client] ?? []).map((text) => text.replaceAll(':t', table));
      if (client === 'pg' && together === true) await behind.sql(statements.join('; '));
      else for (const statement of statements) await behind.sql(statement);
    }

    const cases = CASES.flatMap((each, index) =>
      Object.keys(POLICIES).map((policy) => ({ ...each, policy, index })),
    );

    test.each(cases)('$name: is followed by all, $policy (P11)', async (each) => {
      const resource = tableOf(each.index, each.policy);
      for (const one of [...apis, ...apis]) await one.get(resource, 9);
      const { headers } = await api(0).get(resource, 9);
      const tag = String(headers['etag']);
      begin(resource);
      await carryOut(each, resource);
      await Promise.all(
        apis.map((one) =>
          eventually(async () => {
            const read = await one.get(resource, 9);
            expect(read.body.value ?? null).toEqual(each.after.quiet);
            expect(read.status).toBe(each.after.quiet === null ? 404 : 200);
          }, FOLLOWED),
        ),
      );
      await end();

      const allowed = [
        ...(each.after.busy === 'gone' ? [404] : []),
        ...(each.isGone ? [404, 503] : []),
      ];
      expect(failures.filter(({ status }) => !allowed.includes(status))).toEqual([]);
      if (each.policy === 'strict') expect(stale).toEqual([]);
      const again = await api(1).get(resource, 9);
      if (each.after.quiet === null || !('n' in each.after.quiet) || each.after.quiet.n !== 5)
        return;
      expect(again.headers['etag']).not.toBe(tag);
      const path = `/v1/resources/${resource}/9`;
      const write = { headers: { 'if-match': tag }, body: { n: 1 } };
      expect((await api(0).call('PATCH', path, write)).status).toBe(412);
    });
  },
);

function at<T>(list: readonly T[], index: number): T {
  const found = list[index];
  if (found === undefined) throw new RangeError(`There is no ${index}`);
  return found;
}
