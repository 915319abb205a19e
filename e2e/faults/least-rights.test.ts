/**
 * A coordinator under exactly the rights that `lockstep grants` prints: what runs beside its calls works too, from the
 * relay after a crash to the change log, and a reload asks for the rights that it needs.
 */
import { writeFileSync } from 'node:fs';
import { afterAll, describe, expect, test } from 'vitest';
import type { AuditReport, Finding, RefreshReport, ReloadReport } from '@lockstep/shared';
import { eventually } from '@lockstep/testkit/poll';
import { forgeValue } from '../support/drift.ts';
import { startExternalServers, type ExternalServers } from '../support/external-servers.ts';
import { grantLeastRights, refusedByRedis, withLeastRights } from '../support/least-rights.ts';
import { expectProblem } from '../support/problem.ts';
import { useInstance } from '../support/shared-instance.ts';
import { newId, SHOP_RESOURCES, type SqlClient } from '../support/shop.ts';
import { openSideDoor } from '../support/side-door.ts';

/** Rows of `street` are cached by nobody: deletes only pass through them. */
const TABLES = [
  'create table country (id bigint primary key, name varchar(20))',
  `create table city (id bigint primary key, country bigint,
    foreign key (country) references country (id) on delete cascade)`,
  `create table street (id bigint primary key, city bigint,
    foreign key (city) references city (id) on delete cascade)`,
  `create table visitor (id bigint primary key, street bigint,
    foreign key (street) references street (id) on delete set null)`,
  'create table places (id bigint primary key, town bigint not null)',
];
const REPLICA_IDENTITY = 'alter table places replica identity full';

/** Outcomes of idempotency keys that are older than 24 h, and one that is not. */
const OLD_OUTCOMES: Record<SqlClient, string> = {
  pg: `insert into lockstep_idempotency
    select 'key-' || n, 'hash', 'account', n::text, '{"status":"refused"}', now() - n * interval '20 hours'
    from generate_series(1, 5) as n`,
  mysql2: `insert into lockstep_idempotency
    with recursive s as (select 1 as n union all select n + 1 from s where n < 5)
    select concat('key-', n), 'hash', 'account', n, '{"status":"refused"}', now(6) - interval 20 * n hour from s`,
};

const { account, profile, ledger, note } = SHOP_RESOURCES;
const FIRST = {
  ...{ account, profile, ledger, note },
  memo: {
    ...{ table: 'memos', key: ['id'], cacheKey: 'memo:{id}' },
    ...{ policy: 'refresh', refresh: { every: '1h' } },
  },
};
/** Its table is only read, which the change log must follow. */
const ASKED = {
  towns: {
    query: 'select id from places where town = {town} order by id',
    parameters: { town: 'integer' },
    dependsOn: [{ table: 'places', key: { town: 'town' } }],
    cacheKey: 'towns:{town}',
  },
};
/** InnoDB's own cascades are in no binlog, so that with the change log such a table is refused there. */
const CASCADING = {
  country: { table: 'country', key: ['id'], cacheKey: 'country:{id}' },
  city: { table: 'city', key: ['id'], cacheKey: 'city:{id}', policy: 'strict' },
  visitor: { table: 'visitor', key: ['id'], cacheKey: 'visitor:{id}' },
};
const { document } = SHOP_RESOURCES;

const BEDS = (['pg', 'mysql2'] satisfies SqlClient[]).flatMap((client) =>
  (['off', 'on'] as const).map((changeLog) => ({ client, changeLog })),
);
const FOLLOWED = { withinMs: 90_000 };

describe.each(BEDS)('with the least rights on $client, the change log $changeLog', (kind) => {
  const { client, changeLog } = kind;
  const isFollowed = changeLog === 'on';
  const cascades = client === 'pg' || !isFollowed;
  const resources = {
    ...FIRST,
    ...(cascades ? CASCADING : {}),
    ...(isFollowed ? ASKED : {}),
  };
  const withChanges = (changed: object): object => ({
    resources: { ...resources, ...changed },
    changeLog: { mode: changeLog },
  });
  let servers: ExternalServers | undefined;
  let config: object = {};
  // Registered before the instance's, so that it runs after it.
  afterAll(() => servers?.stop());
  const started = (): ExternalServers => {
    if (servers === undefined) throw new Error('The servers have not been started');
    return servers;
  };
  const bed = useInstance(async () => {
    servers = await startExternalServers(client);
    const { behind } = servers;
    const nobody = { url: '', pid: 0, adminToken: '', serviceToken: '', processes: [] };
    const door = openSideDoor({ ...behind, ...nobody });
    try {
      for (const table of TABLES) await door.sql(table);
      if (client === 'pg') await door.sql(REPLICA_IDENTITY);
      config = await withLeastRights(servers, withChanges({}));
      await door.sql(OLD_OUTCOMES[client]);
    } finally {
      await door.close();
    }
    return { config, behind };
  });

  const post = async <T>(path: string, body: object): Promise<T> => {
    const answer = await bed.admin.post(path, body);
    expect(answer.status, answer.text).toBe(200);
    return JSON.parse(answer.text) as T;
  };
  const configure = (changed: object): void =>
    writeFileSync(bed.instance.configPath, JSON.stringify({ ...config, ...withChanges(changed) }));
  const cached = (resource: string, id: number): Promise<void> =>
    eventually(async () => {
      expect((await bed.api.get(resource, id)).body.source).toBe('cache');
    });

  /** The change log may take away what a refresh has just written: it follows what other programs wrote before. */
  const refreshed = (id: number, text: string): Promise<void> =>
    eventually(async () => {
      await post<RefreshReport>('/v1/ops/refreshes', { resource: 'memo' });
      const { body } = await bed.api.get('memo', id);
      expect(body).toMatchObject({ source: 'cache', value: { text } });
    }, FOLLOWED);

  test('outcomes are pruned when they are too old', () =>
    eventually(async () => {
      const rows = await bed.behind.sql(
        "select idempotency_key as name from lockstep_idempotency where idempotency_key like 'key-%'",
      );
      expect(rows).toEqual([{ name: 'key-1' }]);
    }, FOLLOWED));

  test.runIf(cascades)(
    'a delete takes the entries away that foreign keys reach (W14)',
    async () => {
      const id = newId();
      await bed.api.put('country', id, { name: 'old' });
      await bed.api.put('city', id, { country: id });
      await bed.behind.sql(`insert into street values (${id}, ${id})`);
      await bed.api.put('visitor', id, { street: id });
      for (const resource of ['city', 'visitor']) await cached(resource, id);
      expect(await bed.api.delete('country', id)).toMatchObject({ status: 200 });
      expect((await bed.api.get('city', id)).status).toBe(404);
      expect((await bed.api.get('visitor', id)).body.value).toEqual({ id, street: null });
    },
  );

  test('a refresh rewrites the cache and removes what is gone (P4, P5)', async () => {
    const [kept, gone] = [newId(), newId()];
    for (const id of [kept, gone])
      await bed.behind.sql(`insert into memos values (${id}, 'first')`);
    await refreshed(gone, 'first');
    await bed.behind.sql(`update memos set text = 'second' where id = ${kept}`);
    await bed.behind.sql(`delete from memos where id = ${gone}`);
    await refreshed(kept, 'second');
    expect((await bed.api.get('memo', gone)).status).toBe(404);
  });

  test.each([
    ['ledger', { amount: 5 }, { amount: 6 }],
    ['note', { text: 'true' }, { text: 'forged' }],
  ])('an audit of %s finds drift and repairs it (X1)', async (resource, row, forged) => {
    const id = newId();
    await bed.api.put(resource, id, row);
    await cached(resource, id);
    await eventually(async () => {
      // Each time: an attempt that failed may have repaired it.
      await forgeValue(bed.behind, `${resource}:${id}`, 1, { id, ...forged });
      await post<AuditReport>('/v1/ops/audits', { resource, sample: 400, repair: true });
      const { text } = await bed.admin.call('GET', `/v1/ops/findings?resource=${resource}`);
      const { findings } = JSON.parse(text) as { findings: Finding[] };
      const found = findings.find(({ key }) => key === String(id));
      expect(found).toMatchObject({ class: 'stale', status: 'repaired', repair: { error: null } });
    }, FOLLOWED);
    expect((await bed.api.get(resource, id)).body.value).toMatchObject(row);
  });

  test.runIf(isFollowed)(
    'a change of a table that only a query reads is followed (C3)',
    async () => {
      const town = newId();
      for (const _ of [1, 2]) await bed.api.get('towns', town);
      await bed.behind.sql(`insert into places values (${town}, ${town})`);
      await eventually(async () => {
        expect((await bed.api.get('towns', town)).text).toContain(`"id":${town}`);
      }, FOLLOWED);
    },
  );

  test('a write whose coordinator dies before its cache step is finished by the relay (O1)', async () => {
    const id = newId();
    await bed.api.put('profile', id, { name: 'old' });
    const admin = bed.behind.cache;
    await admin.call('client', 'pause', '60000', 'write');
    const write = bed.api.patch('profile', id, { name: 'new' }).catch(() => null);
    await eventually(async () => {
      const [row] = await bed.behind.sql(`select name from profiles where id = ${id}`);
      expect(row).toEqual({ name: 'new' });
    });
    await bed.instance.kill();
    await write;
    await admin.call('client', 'unpause');
    await forgeValue(bed.behind, `profile:${id}`, 1, { id, name: 'old', visits: 0, bio: null });
    await bed.instance.start();
    await bed.reconnect();
    await eventually(async () => {
      expect((await bed.api.get('profile', id)).body.value).toMatchObject({ name: 'new' });
      expect(await bed.behind.sql('select 1 as one from lockstep_outbox')).toEqual([]);
    }, FOLLOWED);
  });

  test.runIf(isFollowed)(
    'changes by other programs are followed, and counted (C1, C10)',
    async () => {
      for (const [resource, table, set] of [
        ['account', 'accounts', "owner = 'new'"],
        ['profile', 'profiles', "name = 'new'"],
      ] as const) {
        const id = newId();
        await bed.api.put(resource, id, { owner: 'old', name: 'old' });
        const row = resource === 'account' ? { owner: 'old' } : { name: 'old' };
        expect((await bed.api.put(resource, id, row)).status).toBeLessThan(300);
        await cached(resource, id);
        await bed.behind.sql(`update ${table} set ${set} where id = ${id}`);
        await eventually(async () => {
          expect(JSON.stringify((await bed.api.get(resource, id)).body.value)).toContain('"new"');
        }, FOLLOWED);
        await eventually(async () => {
          const [counted] = await bed.behind.sql(
            `select changes from lockstep_bypassed where table_name = '${table}'`,
          );
          expect(Number(counted?.['changes'])).toBeGreaterThan(0);
        }, FOLLOWED);
      }
    },
  );

  test('a reload switches a policy (P7)', async () => {
    const id = newId();
    await bed.api.put('profile', id, { name: 'old' });
    for (const policy of ['strict', 'none', 'delayed-double-delete', 'delete-after-write']) {
      configure({ profile: { ...profile, policy } });
      const report = await post<ReloadReport>('/v1/ops/reload', {});
      expect(report).toMatchObject({ switched: ['profile'], settled: true });
      const written = await bed.api.patch('profile', id, { name: policy });
      expect(written.body).toMatchObject({ policy, outcome: 'applied' });
      expect((await bed.api.get('profile', id)).body.value).toMatchObject({ name: policy });
    }
  });

  test('a reload that adds a table is refused with what is missing, and works once it is granted (P9)', async () => {
    configure({ document });
    const refused = await bed.admin.post('/v1/ops/reload', {});
    expectProblem(refused, 'INVALID');
    expect(refused.text).toMatch(/documents/);
    expectProblem(await bed.api.get('document', 'a'), 'UNKNOWN_RESOURCE');
    await grantLeastRights(started(), withChanges({ document }));
    const added = await post<ReloadReport>('/v1/ops/reload', {});
    expect(added).toMatchObject({ added: ['document'] });
    const path = `p${newId()}`;
    expect((await bed.api.put('document', path, { body: 'old' })).status).toBe(201);
    await eventually(async () => {
      expect((await bed.api.get('document', path)).body.source).toBe('cache');
    });
    if (!isFollowed) return;
    await bed.behind.sql(`update documents set body = 'new' where path = '${path}'`);
    await eventually(async () => {
      expect((await bed.api.get('document', path)).body.value).toMatchObject({ body: 'new' });
    }, FOLLOWED);
  });

  test('no server has refused anything', async () => {
    const { cacheUrl, lockUrls } = started().behind;
    const refused = await Promise.all([cacheUrl, ...lockUrls].map(refusedByRedis));
    expect(refused).toEqual([[], [], [], []]);
    expect(bed.instance.logTail(10_000_000)).not.toMatch(
      /FORBIDDEN_BY_DATABASE|NOPERM|permission denied|command denied|"level":50/,
    );
    if (!isFollowed) return;
    const { text } = await bed.admin.call('GET', '/metrics');
    expect(/^lockstep_changelog_up.*/m.exec(text)?.[0]).toMatch(/ 1$/);
  });
});
