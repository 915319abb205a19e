import { randomBytes } from 'node:crypto';
import { Redis } from 'ioredis';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { loadConfig } from '../config/index.ts';
import { publicationFor } from '../changelog/index.ts';
import { bindResources } from '../database/index.ts';
import { openTestDatabase, type TestDatabase } from '@lockstep/testkit/database/open-test-database';
import { createLog, systemRuntime } from '../runtime/index.ts';
import { installedClients, startRedis, type DatabaseClient } from '@lockstep/testkit/servers';
import { checkServers, type Grants, grantsFor } from './index.ts';
import { DIALECTS } from '../dialects/index.ts';

const runtime = systemRuntime(createLog('silent', null));

const TABLES = [
  'create table accounts (id integer primary key, owner varchar(20))',
  // These rows are not cached: deletes only pass through them.
  'create table folders (id integer primary key, account integer, foreign key (account) references accounts (id) on delete cascade)',
  'create table files (id integer primary key, folder integer, foreign key (folder) references folders (id) on delete cascade)',
  'create table places (id integer primary key, town varchar(20))',
];

const CASCADES = {
  account: { table: 'accounts', key: ['id'], policy: 'strict' },
  file: { table: 'files', key: ['id'], policy: 'delete-after-write' },
};

/** InnoDB's cascades are in no binlog, so that those of MariaDB cannot be followed. */
const LOGGED = {
  place: { table: 'places', key: ['id'], policy: 'change-log' },
  towns: {
    query: 'select id from places where town = {town}',
    parameters: ['town'],
    dependsOn: [{ table: 'places', key: { town: 'town' } }],
    cacheKey: 'towns:{town}',
  },
};

interface Bed {
  account: string;
  accountUrl: string;
  admin: TestDatabase;
  grants: Grants;
  /** Faults and warnings of the check, made as the account. */
  found: () => Promise<string[]>;
}

async function prepare(client: DatabaseClient, resources: object): Promise<Bed> {
  const admin = await openTestDatabase(client);
  for (const table of TABLES) await admin.execute(table);
  if (client === 'pg') await admin.execute('alter table places replica identity full');
  const account = `shop_${randomBytes(4).toString('hex')}`;
  const isPg = client === 'pg';
  const to = isPg ? account : `'${account}'@'%'`;
  await admin.execute(
    isPg ? `create role ${to} login` : `create user ${to} identified by 'secret'`,
  );
  const url = new URL(admin.url);
  const database = url.pathname.slice(1);
  if (isPg) {
    // As a careful administrator does it: without the rights that everybody has by default, the grants must contain
    // them.
    await admin.execute(`revoke connect on database ${database} from public`);
    await admin.execute('revoke usage on schema public from public');
  }
  url.username = account;
  if (!isPg) url.password = 'secret';
  const { config } = await loadConfig({
    raw: {
      database: { connection: url.href },
      ...{ cache: { url: 'redis://127.0.0.1:1' }, locks: { nodes: ['redis://127.0.0.1:1'] } },
      resources,
    },
    env: {},
    cwd: '/',
  });
  const bound = await bindResources(config.resources, admin.catalog);
  expect(bound.faults).toEqual([]);
  const grants = grantsFor({
    ...{ dialect: DIALECTS[client], account, database, schema: 'public', config },
    ...{ resources: bound.resources, lookedAt: bound.lookedAt },
    publication: await publicationFor(admin.sql, config.changeLog, bound.resources),
  });
  const urls = { database: url.href, cache: null, locks: [] };
  const found = async (): Promise<string[]> => {
    const result = await checkServers(config, urls, runtime);
    const all = [...result.faults, ...result.absent, ...result.warnings];
    return all.map(({ path, message }) => `${path}: ${message}`);
  };
  return { account: to, accountUrl: url.href, admin, grants, found };
}

describe('the printed rights on Redis', () => {
  it.each(['cache', 'locks'] as const)(
    'are enough for check, and without any single one of them check names it (%s)',
    async (role) => {
      const server = await startRedis();
      const admin = new Redis(server.url);
      try {
        const { config } = await loadConfig({
          raw: { resources: { account: { table: 'accounts', key: ['id'], policy: 'strict' } } },
          env: {},
          cwd: '/',
        });
        const prefix = 'account:';
        const grants = grantsFor({
          ...{ dialect: DIALECTS.pg, account: 'app', database: 'd', schema: 'public', config },
          ...{ resources: [], lookedAt: [], publication: null },
        });
        const [command = ''] = grants[role];
        const [name = '', ...words] = command.replace('PASSWORD', 'secret').split(' ');
        await admin.call(name, ...words, ...(role === 'cache' ? [`~${prefix}*`] : []));
        const url = server.url.replace('redis://', 'redis://app:secret@');
        const urls = {
          database: null,
          ...(role === 'cache' ? { cache: url, locks: [] } : { cache: null, locks: [url] }),
        };
        const found = async (): Promise<string[]> =>
          (await checkServers(config, urls, runtime)).faults.map(({ message }) => message);
        expect(await found()).toEqual([]);
        const commands = words.filter((word) => word.startsWith('+'));
        expect(commands.length).toBeGreaterThan(9);
        for (const allowed of commands) {
          const own = allowed.slice(1);
          await admin.call('acl', 'setuser', 'app', `-${own}`);
          const told = (await found()).join(' ').toLowerCase();
          expect(`${own}: ${told}`).toMatch(/this user (use|in)|cannot be used/);
          expect(told).toContain(own.split('|')[0]);
          await admin.call('acl', 'setuser', 'app', `+${own}`);
        }
        await admin.call('acl', 'setuser', 'app', 'resetkeys', '~lockstep:*');
        const keys = await found();
        expect(keys).toEqual(
          role === 'locks' ? [] : [expect.stringMatching(/use keys that begin with account:/)],
        );
      } finally {
        admin.disconnect();
        await server.stop();
      }
    },
    60_000,
  );
});

/** For each right that the grants give, the statements that give it and take it away. */
function rightsOf(statements: readonly string[]): { right: string; on: string }[] {
  return statements.flatMap((statement) => {
    const [, verbs = '', on = ''] = /^grant (.+) on (.+) to \S+;$/.exec(statement) ?? [];
    if (verbs === '') return [];
    const objects = /^(database|schema) |^\*/.test(on) ? [on] : on.split(', ');
    return objects.flatMap((object) => verbs.split(', ').map((right) => ({ right, on: object })));
  });
}

interface Kind {
  client: DatabaseClient;
  kind: string;
  resources: object;
}

const beds = installedClients().flatMap((client): Kind[] =>
  client === 'pg'
    ? [
        {
          client,
          kind: 'cascades, queries and the change log',
          resources: { ...CASCADES, ...LOGGED },
        },
      ]
    : [
        { client, kind: 'cascades', resources: CASCADES },
        { client, kind: 'queries and the change log', resources: LOGGED },
      ],
);

describe.each(beds)('the printed grants on $client, for $kind', ({ client, resources }) => {
  let bed: Bed;
  beforeAll(async () => {
    bed = await prepare(client, resources);
  });
  afterAll(async () => {
    if (bed === undefined) return;
    if (client === 'pg') await bed.admin.execute(`drop owned by ${bed.account}`);
    await bed.admin.execute(
      client === 'pg' ? `drop role ${bed.account}` : `drop user ${bed.account}`,
    );
    await bed.admin.drop();
  });

  it('are enough for check, and without any single one of them check names it', async () => {
    const { admin, grants, account, found } = bed;
    for (const statement of [...grants.run, ...grants.changeLog])
      await admin.execute(statement.replace(/;$/, ''));
    if (client === 'mysql2' && grants.changeLog.length === 0) {
      // This is a right on the whole server, so it is advised and not required.
      expect(await found()).toEqual([expect.stringMatching(/lacks PROCESS/)]);
      await admin.execute(`grant process on *.* to ${account}`);
    }
    expect(await found()).toEqual([]);
    const rights = rightsOf([...grants.run, ...grants.changeLog]);
    expect(rights.length).toBeGreaterThan(30);
    for (const { right, on } of rights) {
      await admin.execute(`revoke ${right} on ${on} from ${account}`);
      const [line, ...more] = await found();
      const words = WORDS[right] ?? right;
      expect(`${right} on ${on}: ${line} ${more.join(' ')}`).toMatch(
        new RegExp(`^.*?: .*${words.replaceAll('*', String.raw`\*`)}`),
      );
      await admin.execute(`grant ${right} on ${on} to ${account}`);
    }
    expect(await found()).toEqual([]);
  }, 180_000);

  it.runIf(client === 'pg')(
    'the role that may not replicate, and the publication that is not there or lacks a table, are named',
    async () => {
      const { admin, account, found } = bed;
      await admin.execute(`alter role ${account} noreplication`);
      expect(await found()).toEqual(
        expect.arrayContaining([expect.stringMatching(/may not replicate/)]),
      );
      await admin.execute(`alter role ${account} replication`);
      for (const [table, path] of [
        ['places', /^resources\.place\.table: places: is not in the publication.*add table/],
        ['lockstep_keys', /^changeLog: lockstep_keys: is not in the publication.*\(resource, key/],
      ] as const) {
        await admin.execute(`alter publication lockstep drop table ${table}`);
        expect(await found()).toEqual([expect.stringMatching(path)]);
        const columns = table === 'places' ? '' : ' (resource, key, version)';
        await admin.execute(`alter publication lockstep add table ${table}${columns}`);
      }
      await admin.execute('alter publication lockstep drop table places');
      await admin.execute('alter publication lockstep add table places where (id > 1)');
      expect(await found()).toEqual([
        expect.stringMatching(/places: .* has a filter for its rows/),
      ]);
      await admin.execute('drop publication lockstep');
      expect(await found()).toEqual([expect.stringMatching(/no publication lockstep/)]);
    },
  );
});

/** What the line about a missing right contains, if not the right's own name. */
const WORDS: Readonly<Record<string, string>> = {
  connect: 'right is missing',
  trigger: 'TRIGGER is missing',
  usage: 'no schema that exists|permission denied for schema',
  select: '(select|may not be read|may not; allowed|SELECT|permission denied for table)',
};
