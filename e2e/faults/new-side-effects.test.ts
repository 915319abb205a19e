/**
 * Triggers and foreign keys that are added while two coordinators write: what is answered and cached is what the commit
 * left, from the next look at the tables on.
 */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { ApiClient } from '../support/api-client.ts';
import { startExternalServers, type ExternalServers } from '../support/external-servers.ts';
import { type Instance, startInstance } from '@lockstep/testkit/instances/instance';
import { eventually } from '@lockstep/testkit/poll';
import type { SqlClient } from '../support/shop.ts';
import { openSideDoor, type SideDoor } from '../support/side-door.ts';

const TABLES = [
  'create table line_strict (id int primary key, qty int, total int)',
  'create table line_after (id int primary key, qty int, total int)',
  'create table owner (id int primary key, n int)',
  'create table thing_strict (id int primary key, owner int)',
  'create table thing_after (id int primary key, owner int)',
];
const TRIGGER: Record<SqlClient, (table: string) => string[]> = {
  pg: (table) => [
    `create function ${table}_total() returns trigger language plpgsql as $$ begin
      update ${table} set total = new.qty * 10 where id = new.id; return null; end $$`,
    `create trigger ${table}_total after insert or update of qty on ${table}
      for each row execute function ${table}_total()`,
  ],
  mysql2: (table) => [
    `create trigger ${table}_total before update on ${table}
      for each row set new.total = new.qty * 10`,
  ],
};
const RESOURCES = {
  line_strict: { table: 'line_strict', key: ['id'], policy: 'strict' },
  line_after: { table: 'line_after', key: ['id'], policy: 'delete-after-write' },
  owner: { table: 'owner', key: ['id'], policy: 'delete-after-write' },
  thing_strict: { table: 'thing_strict', key: ['id'], policy: 'strict' },
  thing_after: { table: 'thing_after', key: ['id'], policy: 'delete-after-write' },
};
const LOOKED = { withinMs: 90_000, everyMs: 50 };
const OWNERS = 400;

describe.each<SqlClient>(['pg', 'mysql2'])('what is added to a table on %s', (client) => {
  let servers: ExternalServers;
  const instances: Instance[] = [];
  let apis: ApiClient[] = [];
  let behind: SideDoor;

  beforeAll(async () => {
    servers = await startExternalServers(client);
    const urls = { databaseUrl: servers.connection, cacheUrl: servers.cache.url, lockUrls: [] };
    const nobody = { url: '', pid: 0, adminToken: '', serviceToken: '', processes: [] };
    behind = openSideDoor({ ...urls, ...nobody });
    for (const table of TABLES) await behind.sql(table);
    const ids = Array.from({ length: OWNERS }, (_, index) => index + 1);
    await behind.sql(`insert into owner values ${ids.map((id) => `(${id}, 0)`).join(', ')}`);
    for (const kind of ['strict', 'after']) {
      await behind.sql(`insert into line_${kind} values (1, 0, 0), (2, 0, 0)`);
      const things = ids.map((id) => `(${id}, ${id})`).join(', ');
      await behind.sql(`insert into thing_${kind} values ${things}`);
    }
    const config = { ...servers.config, resources: RESOURCES };
    for (let index = 0; index < 2; index += 1) instances.push(await startInstance({ config }));
    apis = instances.map(({ runtime }) => new ApiClient(runtime.url, runtime.adminToken));
  });
  afterAll(async () => {
    await Promise.all(apis.map((api) => api.close()));
    await behind.close();
    await Promise.all(instances.map((instance) => instance.dispose()));
    await servers.stop();
  });
  const api = (index: number): ApiClient => {
    const found = apis[index % apis.length];
    if (found === undefined) throw new RangeError('there is no coordinator');
    return found;
  };

  test.each(['strict', 'after'])(
    'a new trigger is noticed under load, and no entry from before it stays: %s (W13)',
    async (kind) => {
      const resource = `line_${kind}`;
      for (const statement of TRIGGER[client](resource)) await behind.sql(statement);
      // Answered from what the statement returned, until the trigger is known of.
      await api(0).patch(resource, 2, { qty: 7 });
      await api(1).get(resource, 2);
      let qty = 0;
      await eventually(async () => {
        qty += 1;
        const written = await api(qty).patch(resource, 1, { qty });
        expect(written.status).toBe(200);
        expect(written.body.value).toEqual({ id: 1, qty, total: qty * 10 });
        for (const each of apis) {
          expect((await each.get(resource, 1)).body.value).toEqual({ id: 1, qty, total: qty * 10 });
          expect((await each.get(resource, 2)).body.value).toEqual({ id: 2, qty: 7, total: 70 });
        }
      }, LOOKED);
    },
  );

  test('a new foreign key that deletes is noticed, and rows that it deleted before are not served (W14)', async () => {
    const kinds = ['thing_strict', 'thing_after'];
    for (const kind of kinds) {
      for (const id of [1, 2]) for (const each of apis) await each.get(kind, id);
      await behind.sql(
        `alter table ${kind} add foreign key (owner) references owner (id) on delete cascade`,
      );
    }
    // The first one before it is known of, the others until it is.
    let id = 0;
    await eventually(async () => {
      id += 1;
      for (const kind of kinds) await api(id).get(kind, id);
      expect((await api(id).delete('owner', id)).status).toBe(200);
      for (const kind of kinds) {
        for (const each of apis) {
          expect((await each.get(kind, 1)).status).toBe(404);
          expect((await each.get(kind, id)).status).toBe(404);
        }
      }
    }, LOOKED);
  });
});
