import type { AuditReport } from '@lockstep/shared';
import { createConnection } from 'mysql2/promise';
import pg from 'pg';
import { afterAll, describe, expect, test } from 'vitest';
import { installedClients } from '@lockstep/testkit/servers';
import type { Answer } from '../support/api-client.ts';
import { startExternalServers, type ExternalServers } from '../support/external-servers.ts';
import { eventually } from '@lockstep/testkit/poll';
import { useInstance } from '../support/shared-instance.ts';
import type { SqlClient } from '../support/shop.ts';

const POLICIES = ['strict', 'delete-after-write', 'change-log'] as const;

interface NamedTable {
  resource: string;
  policy: (typeof POLICIES)[number];
  /** The column of its key, and the other one. */
  key: string;
  column: string;
}

/** For each policy, a table with a column of such a name, and one with such a key column. */
const TABLES = POLICIES.flatMap((policy, index): NamedTable[] => [
  { resource: `holds-${index}`, policy, key: 'id', column: '__proto__' },
  { resource: `keyed-${index}`, policy, key: '__proto__', column: 'constructor' },
]);

const tableOf = ({ resource }: NamedTable): string => resource.replace('-', '_');

const quoted = (client: SqlClient, name: string): string =>
  client === 'pg' ? `"${name}"` : `\`${name}\``;

async function createTables(client: SqlClient, url: string): Promise<void> {
  const ddl = TABLES.map((table) => {
    const [key, column] = [table.key, table.column].map((name) => quoted(client, name));
    return `create table ${tableOf(table)} (${key} int primary key, ${column} bigint)`;
  });
  if (client === 'pg') {
    const connection = new pg.Client({ connectionString: url });
    await connection.connect();
    for (const statement of ddl) await connection.query(statement);
    await connection.end();
    return;
  }
  const connection = await createConnection(url);
  for (const statement of ddl) await connection.query(statement);
  await connection.end();
}

describe.each(installedClients())('names that every object inherits, on %s', (client) => {
  let servers: ExternalServers | undefined;
  // Registered before the instance's, so that it runs after it.
  afterAll(() => servers?.stop());
  const bed = useInstance(async () => {
    servers = await startExternalServers(client);
    await createTables(client, servers.connection);
    const resources = Object.fromEntries(
      TABLES.map((table) => {
        const { resource, policy, key } = table;
        return [
          resource,
          { table: tableOf(table), key: [key], cacheKey: `${resource}:{${key}}`, policy },
        ];
      }),
    );
    return { config: { ...servers.config, resources, changeLog: { mode: 'on' } } };
  });

  let lastId = 0;
  const nextId = (): number => ++lastId;

  const write = (
    method: 'PUT' | 'PATCH',
    { resource }: NamedTable,
    id: number,
    rawBody: string,
  ): Promise<Answer> =>
    bed.api.call(method, `/v1/resources/${resource}/${id}`, {
      rawBody,
      headers: { 'content-type': 'application/json' },
    });
  /** As it is in the text of an answer: an object would hide a member `__proto__`. */
  const rowText = ({ key, column }: NamedTable, id: number, value: number): string =>
    `{"${key}":${id},"${column}":${value}}`;
  const expectRow = async (table: NamedTable, id: number, value: number): Promise<void> => {
    for (const query of ['', '', '?consistency=primary'])
      expect((await bed.api.get(table.resource, id, query)).text).toContain(
        rowText(table, id, value),
      );
  };
  const changeBehind = (table: NamedTable, id: number, value: number): Promise<unknown> =>
    bed.behind.sql(
      `update ${tableOf(table)} set ${quoted(client, table.column)} = ${value} where ${quoted(client, table.key)} = ?`,
      [id],
    );

  const sweeps = async (): Promise<string[]> => {
    const { text } = await bed.anonymous.call('GET', '/metrics');
    return [...text.matchAll(/^lockstep_changelog_sweeps\S* (\S+)$/gm)].map(
      ([, count = '']) => count,
    );
  };

  describe.each(TABLES)('as $key and $column, by the policy $policy', (table) => {
    const { resource, column, key } = table;

    test('are written, read from the database and the cache, and written back', async () => {
      const id = nextId();
      const created = await write('PUT', table, id, `{"${column}":5}`);
      expect([created.status, created.text]).toEqual([
        201,
        expect.stringContaining(rowText(table, id, 5)),
      ]);
      await expectRow(table, id, 5);
      const changed = await write('PATCH', table, id, `{"$inc":{"${column}":2}}`);
      expect([changed.status, changed.text]).toEqual([
        200,
        expect.stringContaining(rowText(table, id, 7)),
      ]);
      expect((await write('PUT', table, id, rowText(table, id, 8))).status).toBe(200);
      await eventually(async () =>
        expect((await bed.api.get(resource, id)).body.source).toBe('cache'),
      );
      await eventually(() => expectRow(table, id, 8));
      const [stored] = await bed.behind.sql(
        `select ${quoted(client, column)} as stored from ${tableOf(table)} where ${quoted(client, key)} = ?`,
        [id],
      );
      expect(stored).toEqual({ stored: '8' });
      expect((await bed.api.delete(resource, id)).status).toBe(200);
      await eventually(async () => expect((await bed.api.get(resource, id)).status).toBe(404));
    });

    test('are written by a batch and by a transaction', async () => {
      for (const path of ['/v1/batch', '/v1/transactions']) {
        const id = nextId();
        const rawBody = `{"operations":[{"op":"put","resource":"${resource}","key":${id},"value":{"${column}":3}}]}`;
        const headers = { 'content-type': 'application/json' };
        const answer = await bed.api.call('POST', path, { rawBody, headers });
        expect(answer.text).toContain(rowText(table, id, 3));
        await expectRow(table, id, 3);
      }
    });

    test('are followed in the change log', async () => {
      const id = nextId();
      await write('PUT', table, id, `{"${column}":1}`);
      await expectRow(table, id, 1);
      const before = await sweeps();
      expect(before).toHaveLength(1);
      await changeBehind(table, id, 9);
      await eventually(async () =>
        expect((await bed.api.get(resource, id)).text).toContain(rowText(table, id, 9)),
      );
      // By the row's own key, and not because everything was swept.
      expect(await sweeps()).toEqual(before);
    });

    test('are compared by an audit', async () => {
      const id = nextId();
      await write('PUT', table, id, `{"${column}":1}`);
      await expectRow(table, id, 1);
      const answer = await bed.admin.post('/v1/ops/audits', { resource, sample: 400 });
      expect(answer.status).toBe(200);
      const report = JSON.parse(answer.text) as AuditReport;
      expect(report.sampled).toBeGreaterThan(0);
      expect(Object.values(report.drift)).toEqual(Object.values(report.drift).map(() => 0));
    });
  });
});
