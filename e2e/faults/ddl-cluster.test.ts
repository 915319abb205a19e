/**
 * Tables that are altered, truncated, exchanged or made anew under the traffic of two coordinators: nothing old stays, no
 * strict read is behind a write, and no entity tag comes again for another row. With the change log on, this also holds
 * for what other programs write before, during and after the change of the table.
 */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { ApiClient } from '../support/api-client.ts';
import { startExternalServers, type ExternalServers } from '../support/external-servers.ts';
import { type Instance, startInstance } from '@lockstep/testkit/instances/instance';
import { eventually } from '@lockstep/testkit/poll';
import type { SqlClient } from '../support/shop.ts';
import { openSideDoor, type SideDoor } from '../support/side-door.ts';
import { DDL_CASES, type DdlCase, tableSql } from './ddl/cases.ts';
import { DdlTraffic } from './ddl/traffic.ts';

const POLICIES = { strict: 'strict', after: 'delete-after-write' };
const FOLLOWED = { withinMs: 90_000, everyMs: 20 };
/** Of a row that only other programs write. */
const BESIDE = 4;

const CASES = DDL_CASES.flatMap((each, index) =>
  Object.keys(POLICIES).map((policy) => ({
    ...each,
    policy,
    resource: `moved_${index}_${policy}`,
  })),
);

const CLUSTERS = (['pg', 'mysql2'] satisfies SqlClient[]).flatMap((client) =>
  (['off', 'on'] as const).map((changeLog) => ({ client, changeLog })),
);

describe.each(CLUSTERS)(
  'tables that change under two coordinators on $client, with the change log $changeLog',
  ({ client, changeLog }) => {
    let servers: ExternalServers;
    const instances: Instance[] = [];
    let apis: ApiClient[] = [];
    let behind: SideDoor;

    beforeAll(async () => {
      servers = await startExternalServers(client);
      const urls = { databaseUrl: servers.connection, cacheUrl: servers.cache.url, lockUrls: [] };
      const nobody = { url: '', pid: 0, adminToken: '', serviceToken: '', processes: [] };
      behind = openSideDoor({ ...urls, ...nobody });
      const resources: Record<string, object> = {};
      for (const { resource: table, policy, ...each } of CASES) {
        for (const statement of tableSql(client, table, each)) await behind.sql(statement);
        resources[table] = {
          ...{ table, key: ['id'], ttl: '1h', negativeTtl: '1h' },
          policy: POLICIES[policy as keyof typeof POLICIES],
        };
      }
      const config = { ...servers.config, resources, changeLog: { mode: changeLog } };
      for (let index = 0; index < 2; index += 1) instances.push(await startInstance({ config }));
      apis = instances.map(({ runtime }) => new ApiClient(runtime.url, runtime.adminToken));
    });
    afterAll(async () => {
      await Promise.all(apis.map((api) => api.close()));
      await behind?.close();
      await Promise.all(instances.map((instance) => instance.dispose()));
      await servers?.stop();
    });

    async function carryOut({ ddl, together }: DdlCase, table: string): Promise<void> {
      const statements = (ddl[client] ?? []).map((text) => text.replaceAll(':t', table));
      if (client === 'pg' && together === true) await behind.sql(statements.join('; '));
      else for (const statement of statements) await behind.sql(statement);
    }

    /** Both answer what the database has in the row that only other programs write. */
    const besideIsFollowed = (table: string): Promise<void> =>
      eventually(async () => {
        const [row] = await behind.sql(`select n from ${table} where id = ?`, [BESIDE]);
        for (const api of apis) {
          const { status, body } = await api.get(table, BESIDE);
          const answered = status === 404 ? undefined : Number(body.value?.['n']);
          expect(answered).toBe(row === undefined ? undefined : Number(row['n']));
        }
      }, FOLLOWED);

    test.concurrent.each(CASES)('$name: is followed by all, $policy (P11)', async (each) => {
      const { resource, policy, after } = each;
      for (const api of [...apis, ...apis]) await api.get(resource, 9);
      const [first, second] = apis as [ApiClient, ApiClient];
      const tag = String((await first.get(resource, 9)).headers['etag']);
      const besides = changeLog === 'on' ? { behind, id: BESIDE } : null;
      const traffic = new DdlTraffic(apis, resource, besides);
      try {
        await traffic.begun();
        await carryOut(each, resource);
        await Promise.all(
          apis.map((api) =>
            eventually(async () => {
              const read = await api.get(resource, 9);
              expect(read.body.value ?? null).toEqual(after.quiet);
              expect(read.status).toBe(after.quiet === null ? 404 : 200);
            }, FOLLOWED),
          ),
        );
      } finally {
        await traffic.end();
      }

      const allowed = [
        ...(after.busy === 'gone' ? [404] : []),
        ...(each.isGone === true ? [404, 503] : []),
      ];
      expect(traffic.failures.filter(({ status }) => !allowed.includes(status))).toEqual([]);
      if (policy === 'strict') expect(traffic.stale).toEqual([]);
      if (changeLog === 'on') {
        await besideIsFollowed(resource);
        await behind.sql(`delete from ${resource} where id = ?`, [BESIDE]);
        await behind.sql(`insert into ${resource} (id, n) values (?, -7)`, [BESIDE]);
        await besideIsFollowed(resource);
      }
      if (after.quiet === null || !('n' in after.quiet) || after.quiet.n !== 5) return;
      expect((await second.get(resource, 9)).headers['etag']).not.toBe(tag);
      const path = `/v1/resources/${resource}/9`;
      const write = { headers: { 'if-match': tag }, body: { n: 1 } };
      const { status, text } = await first.call('PATCH', path, write);
      expect([status, text]).toEqual([412, expect.anything()]);
    });

    // On MariaDB, a table that a look finds away, and the next one back, has the log begun anew, with a sweep (C8).
    test.runIf(changeLog === 'on')('the change log is followed afterwards (C4)', () =>
      eventually(async () => {
        for (const api of apis) {
          const { text } = await api.call('GET', '/metrics');
          expect(/^lockstep_changelog_up.*/m.exec(text)?.[0]).toMatch(/ 1$/);
        }
      }),
    );
  },
);
