import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ConfigError, loadConfig } from './index.ts';

let folder = '';
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'lockstep-config-'));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

const load = async (raw: unknown, env: Record<string, string> = {}) =>
  (await loadConfig({ raw, env, cwd: folder })).config;

async function faultsOf(raw: unknown, env: Record<string, string> = {}): Promise<string[]> {
  const error: unknown = await load(raw, env).catch((cause: unknown) => cause);
  if (!(error instanceof ConfigError)) throw new Error('expected a ConfigError');
  return error.message.split('\n');
}

const account = { table: 'accounts', key: ['id'] };
const CARD = {
  computed: true,
  parameters: ['id'],
  dependsOn: [{ resource: 'account', key: { id: 'id' } }],
};

/** If they are named explicitly, embedded servers are allowed beside an external database. */
const lockNodes = (count: number): string[] =>
  Array.from({ length: count }, (_, index) => `redis://lock-${index}`);
const ALONE = { cache: { mode: 'embedded' }, locks: { mode: 'embedded' } };

describe('a wrong configuration', () => {
  const cases: [string, unknown, RegExp[]][] = [
    ['unknown group', { lissten: {} }, [/^lissten: is not known; allowed: listen, database/]],
    [
      'unknown fields',
      { listen: { prt: 1, hst: 2 } },
      [/^listen\.prt: is not known; allowed: host, port, drainDelay$/, /^listen\.hst: /],
    ],
    ['not an object', ['x'], [/^the configuration is list; allowed: an object$/]],
    [
      'a group of a wrong type',
      { listen: 'x' },
      [/^listen: is text; allowed: an object with host, port, drainDelay$/],
    ],
    [
      'port out of range',
      { listen: { port: 70_000 } },
      [/^listen\.port: is 70000; allowed: a whole number from 0 to 65535$/],
    ],
    [
      'a wrong duration',
      { locks: { ttl: '8 parsecs' } },
      [/^locks\.ttl: is a wrong text; allowed: a duration from 500ms to 10m/],
    ],
    ...['Mars/Base', '+14:00', "UTC'; drop", 2].map((timeZone): [string, unknown, RegExp[]] => [
      `a time zone that there is not: ${timeZone}`,
      { database: { timeZone } },
      [/^database\.timeZone: is .*; allowed: a time zone such as Europe\/Berlin, or an offset/],
    ]),
    ...['strict', 'refresh', 'none', 'delayed-double-delete'].map(
      (policy): [string, unknown, RegExp[]] => [
        `the policy ${policy} for a computed resource`,
        { resources: { account, card: { ...CARD, policy } } },
        [/^resources\.card\.policy: is a wrong text; allowed: delete-after-write, change-log$/],
      ],
    ),
    [
      'a computed resource with what only a query or a table has',
      { resources: { account, card: { ...CARD, maxRows: 3, audit: { every: '1m' }, table: 'x' } } },
      [
        /^resources\.card\.maxRows: is not known; allowed: computed, parameters, dependsOn, /,
        /^resources\.card\.audit: is not known/,
        /^resources\.card\.table: is not known/,
      ],
    ],
    [
      'a resource that is not computed after all',
      { resources: { account, card: { ...CARD, computed: false } } },
      [/^resources\.card\.computed: is .*; allowed: true$/],
    ],
    [
      'a resource that depends on a computed one',
      {
        resources: {
          account,
          card: CARD,
          other: { ...CARD, dependsOn: [{ resource: 'card', key: { id: 'id' } }] },
        },
      },
      [/^resources\.other\.dependsOn\.0\.resource: is derived itself; allowed: account$/],
    ],
    ['a duration out of range', { locks: { ttl: '1ms' } }, [/^locks\.ttl: is "1ms"; /]],
    [
      'auth off for everyone',
      { listen: { host: '0.0.0.0' }, auth: { mode: 'off' } },
      [/^auth\.mode: is "off" while listen\.host is no loopback address; allowed: .*loopback/],
    ],
    [
      'members that expire between two heartbeats',
      { routing: { heartbeat: '1s', expiry: '1.9s' } },
      [/^routing\.expiry: is 1900ms; allowed: at least twice routing\.heartbeat \(1s\)$/],
    ],
    [
      'an address that is a page, holds a password, or is no URL',
      { routing: { address: 'http://u:p@one.test:7400/x' } },
      [/^routing\.address: .*without a path$/],
    ],
    [
      'forwarding to nobody knows where, with tokens that nobody shares',
      { routing: { mode: 'forward' }, listen: { host: '0.0.0.0' } },
      [
        /^routing\.address: is missing while listen\.host is 0\.0\.0\.0 and routing\.mode is forward; /,
        /^routing\.peers: is missing while routing\.mode is forward; /,
        /^auth\.tokens\.service: is missing while routing\.mode is forward; /,
      ],
    ],
    [
      'a statement timeout over the TTL',
      { database: { statementTimeout: '9s' } },
      [/^database\.statementTimeout: is 9s; allowed: shorter than locks\.ttl \(8s\)$/],
    ],
    [
      'two ways of having a database',
      { database: { mode: 'embedded', connection: 'postgres://h/d' } },
      [/^database\.connection: does not go with mode: embedded/],
    ],
    [
      'a client of another scheme',
      { database: { client: 'pg', connection: 'mysql://h/d' }, ...ALONE },
      [/^database\.client: is "pg" while .*; allowed: mysql2$/],
    ],
    [
      'an external database without its URL',
      { database: { mode: 'external' }, ...ALONE },
      [/^database\.connection: is missing; /],
    ],
    [
      'an external database beside a cache and lock nodes that were left out',
      { database: { connection: 'postgres://h/d' }, cache: { commandTimeout: '1s' } },
      [
        /^cache: is left out beside an external database: .*; allowed: url .*mode: embedded/,
        /^locks: is left out beside an external database: .*; allowed: nodes .*mode: embedded/,
      ],
    ],
    [
      'a secret URL',
      { database: { connection: 'oracle://u:hunter2@h' } },
      [/^database\.connection: is a wrong text; allowed: a URL such as postgres:/],
    ],
    [
      'the same lock node twice',
      { locks: { nodes: ['redis://a', 'redis://a'] } },
      [/^locks\.nodes: is a wrong list; allowed: 1 to 48 different URLs/],
    ],
    [
      'lock nodes that are not in groups of the same size',
      { locks: { nodes: lockNodes(7), groupSize: 3 } },
      [/^locks\.groupSize: is 3 with 7 lock nodes; allowed: a number that divides them/],
    ],
    [
      'more lock nodes than should vote on each lock',
      { locks: { nodes: lockNodes(18) } },
      [/^locks\.nodes: has 18 nodes that would all vote on each lock; .* locks\.groupSize/],
    ],
    [
      'groups of embedded lock nodes',
      { locks: { mode: 'embedded', groupSize: 1 } },
      [/^locks\.groupSize: does not go with mode: embedded/],
    ],
    [
      'an SQL file that is not there',
      { database: { initSql: 'no.sql' } },
      [/^database\.initSql: the file that it names cannot be read \(ENOENT\); allowed/],
    ],
    [
      'resources as a list',
      { resources: [] },
      [/^resources: is list; allowed: an object of resources by name$/],
    ],
    [
      'a resource of a bad name',
      { resources: { __proto: account } },
      [/^resources\.\(a name of 7 characters\): is not a name/],
    ],
    [
      'a resource without table and key',
      { resources: { a: {} } },
      [/^resources\.a\.table: is missing; /, /^resources\.a\.key: is missing; /],
    ],
    [
      'an unknown policy',
      { resources: { a: { ...account, policy: 'eventual' } } },
      [/^resources\.a\.policy: is a wrong text; allowed: strict, delete-after-write/],
    ],
    [
      'a template that misses the key',
      { resources: { a: { ...account, cacheKey: 'a:{x}' } } },
      [/^resources\.a\.cacheKey: names other columns .*\{id\}/],
    ],
    [
      'a broken template',
      { resources: { a: { ...account, invalidates: ['a:{x'] } } },
      [/^resources\.a\.invalidates\.0: has a brace/],
    ],
    [
      'columns without the key',
      { resources: { a: { ...account, columns: ['x'] } } },
      [/^resources\.a\.columns: lack id; /],
    ],
    [
      'two schedules',
      { resources: { a: { ...account, audit: { every: '1m', schedule: '* * * * *' } } } },
      [/^resources\.a\.audit\.schedule: is set as well as every/],
    ],
    [
      'a wrong cron expression',
      { resources: { a: { ...account, audit: { schedule: 'soon' } } } },
      [/^resources\.a\.audit\.schedule: is a wrong text; allowed: a cron/],
    ],
    [
      'raw entries of a strict resource',
      { resources: { a: { ...account, policy: 'strict', format: 'raw' } } },
      [/^resources\.a\.format: is "raw" with policy strict.*; allowed: entry, or another policy/],
    ],
    [
      'entries that the service keeps, where Lockstep would have to write them',
      {
        resources: {
          a: { ...account, policy: 'strict', format: 'opaque' },
          b: { ...account, cacheKey: 'b:{id}', policy: 'strict', rollout: 'invalidate' },
          c: { ...account, cacheKey: 'c:{id}', policy: 'refresh', rollout: 'invalidate' },
          d: { ...account, cacheKey: 'd:{id}', level: 'local', rollout: 'invalidate' },
          e: { ...account, cacheKey: 'e:{id}', policy: 'strict', rollout: 'shadow' },
        },
      },
      [
        /^resources\.a\.format: is "opaque" with policy strict.*; allowed: entry, or another policy/,
        /^resources\.b\.rollout: is "invalidate" with policy strict.*; allowed: own, or another policy/,
        /^resources\.c\.rollout: is "invalidate" with policy refresh.*; allowed: own, or another policy/,
        /^resources\.d\.level: is "local" with entries .*\(rollout invalidate\); allowed: redis, or/,
        /^resources\.e\.rollout: is "shadow" with policy strict.*; allowed: own, or another policy/,
      ],
    ],
    [
      'a refresh with an interval beside a schedule',
      {
        resources: {
          a: { ...account, policy: 'refresh', refresh: { every: '5m', schedule: '* * * * *' } },
        },
      },
      [/^resources\.a\.refresh\.schedule: is set as well as every; allowed: one of the two/],
    ],
    [
      'a refresh of a large table',
      { resources: { a: { ...account, policy: 'refresh', refresh: { maxRows: 1_000_000 } } } },
      [/^resources\.a\.refresh\.maxRows: is 1000000; allowed: a whole number from 1 to 50000/],
    ],
    [
      'a policy that needs changes to be noticed, while none are',
      { database: { capture: 'off' }, resources: { a: { ...account, policy: 'change-log' } } },
      [/^database\.capture: is "off" while the policy of a is change-log; allowed: log, triggers$/],
    ],
    [
      'two fields that say different things about the change log',
      { database: { capture: 'log' }, changeLog: { mode: 'off' } },
      [/^database\.capture: is "log" while changeLog\.mode is off; allowed: log with on/],
    ],
    [
      'triggers on the embedded database',
      { database: { capture: 'triggers' } },
      [/^database\.capture: is "triggers" for the embedded database/],
    ],
    [
      'a policy that needs the change log, which is off',
      { changeLog: { mode: 'off' }, resources: { a: { ...account, policy: 'change-log' } } },
      [/^changeLog\.mode: is "off" while the policy of a is change-log; allowed: on/],
    ],
    [
      'values in memory where none may be old, other programs write them, or leases guard them',
      {
        resources: {
          a: { ...account, policy: 'strict', level: 'local' },
          b: { ...account, cacheKey: 'b:{id}', format: 'raw', level: 'local' },
          c: {
            computed: true,
            parameters: ['id'],
            dependsOn: [{ resource: 'a', key: { id: 'id' } }],
            level: 'local',
          },
        },
      },
      [
        /^resources\.a\.level: is "local" with policy strict, .*; allowed: redis, or another policy/,
        /^resources\.b\.level: is "local" with entries .*\(format raw\); allowed: redis, or entries of/,
        /^resources\.c\.level: is "local" for a computed resource, .*; allowed: redis/,
      ],
    ],
    [
      'a lock node that is a set of Sentinels',
      { locks: { nodes: ['redis+sentinel://a:1/0?name=main'] } },
      [/^locks\.nodes: is a wrong list; allowed: .* of single servers, without Sentinels$/],
    ],
    [
      'Sentinels without the name of their master',
      { cache: { sentinels: ['redis://a'] } },
      [/^cache\.name: is missing; allowed: the name of the sentinels’ master$/],
    ],
    [
      'Sentinels beside a URL',
      { cache: { url: 'redis://a', sentinels: ['redis://b'], name: 'main' } },
      [/^cache\.sentinels: is set as well as url; allowed: one of url, cluster, sentinels$/],
    ],
    [
      'Sentinels that want TLS',
      { cache: { sentinels: ['rediss://a'], name: 'main' } },
      [/^cache\.sentinels: holds a rediss:\/\/ URL: TLS to Sentinels is not in this version/],
    ],
    [
      'Sentinels with a number of a database',
      { cache: { sentinels: ['redis://a:26379/1'], name: 'main' } },
      [/^cache\.sentinels: holds a URL with more than an address; allowed: .* in cache\.database$/],
    ],
    [
      'Sentinels with different passwords',
      { cache: { sentinels: ['redis://:a@a', 'redis://:b@b'], name: 'main' } },
      [/^cache\.sentinels: holds URLs with different users or passwords/],
    ],
    [
      'a user of the master without a password',
      { cache: { sentinels: ['redis://a'], name: 'main', username: 'u' } },
      [/^cache\.password: is missing beside cache\.username/],
    ],
    [
      'credentials beside a URL that has its own',
      { cache: { url: 'redis://a', username: 'u', password: 'p', database: 1, name: 'main' } },
      [
        /^cache\.name: goes with cache\.sentinels only/,
        /^cache\.username: goes with cache\.sentinels only; allowed: the same in cache\.url/,
        /^cache\.password: goes with/,
        /^cache\.database: goes with/,
      ],
    ],
    [
      'a Cluster whose members have different users, or more than an address',
      { cache: { cluster: ['redis://a:1', 'redis://u:p@a:2/1', 'rediss://a:3'] } },
      [
        /^cache\.cluster: holds a rediss:\/\/ URL: TLS to a Redis Cluster is not in this version/,
        /^cache\.cluster: holds a URL with more than an address/,
        /^cache\.cluster: holds URLs with different users or passwords/,
      ],
    ],
    [
      'what a Cluster does not have in this version',
      {
        cache: { cluster: ['redis://a'] },
        resources: {
          near: { table: 't', key: ['id'], policy: 'delete-after-write', level: 'local' },
          table: { table: 'u', key: ['id'], policy: 'refresh', refresh: { every: '1m' } },
          watched: { table: 'v', key: ['id'], policy: 'delete-after-write', rollout: 'shadow' },
        },
      },
      [
        /^resources\.near\.level: the level local on a Redis Cluster is not/,
        /^resources\.table\.policy: refresh on a Redis Cluster is not/,
        /^resources\.watched\.rollout: shadow on a Redis Cluster is not/,
      ],
    ],
    [
      'short tokens',
      { auth: { tokens: { admin: 'short' } } },
      [/^auth\.tokens\.admin: is a wrong text; allowed: 16 to 256/],
    ],
    [
      'one token for both',
      { auth: { tokens: { admin: 'x'.repeat(20), service: 'x'.repeat(20) } } },
      [/^auth\.tokens\.service: is the same as the admin token/],
    ],
    [
      'one token for all',
      {
        auth: {
          tokens: { admin: 'x'.repeat(20), service: 'y'.repeat(20), metrics: 'y'.repeat(20) },
        },
      },
      [/^auth\.tokens\.metrics: is the same as the service token/],
    ],
  ];
  it.each(cases)('%s', async (_name, raw, patterns) => {
    const faults = await faultsOf(raw);
    expect(faults).toHaveLength(patterns.length);
    patterns.forEach((pattern, index) => expect(faults[index]).toMatch(pattern));
  });

  it('is told with all its faults at once and without secrets', async () => {
    const faults = await faultsOf({
      listen: { port: -1, x: 1 },
      locks: { ttl: 'x' },
      cache: { url: 'http://u:hunter2@h' },
      resources: { a: { table: 5 }, b: { ...account, policy: 'x' } },
    });
    expect(faults.map((line) => line.split(':', 1)[0])).toEqual([
      'listen.port',
      'listen.x',
      'cache.url',
      'locks.ttl',
      'resources.a.table',
      'resources.a.key',
      'resources.b.policy',
    ]);
    expect(faults.join()).not.toContain('hunter2');
  });
});

describe('a secret in the wrong place of a configuration', () => {
  const SECRET = 'S3CRET-hunter-2-hunter-2';
  const URLS = [`postgres://u:${SECRET}@h:1/x`, `redis://:${SECRET}@h`, `http://u:${SECRET}@h:1`];
  const groups = [
    'listen',
    'database',
    'cache',
    'locks',
    'leases',
    'strict',
    'changeLog',
    'routing',
    'auth',
    'limits',
    'log',
    'audit',
    'resources',
  ];
  const fields = [
    'database.connection',
    'database.mode',
    'database.client',
    'database.initSql',
    'database.pool.min',
    'cache.url',
    'cache.name',
    'cache.username',
    'cache.password',
    'cache.database',
    'cache.sentinels',
    'locks.ttl',
    'locks.nodes',
    'listen.host',
    'listen.port',
    'routing.address',
    'routing.peers',
    'routing.mode',
    'auth.mode',
    'auth.origins',
    'auth.tokens.admin',
    'auth.tokens',
    'log.level',
    'limits.bodyBytes',
    'strict.verifyIntent',
    'changeLog.slot',
    'resources.a.policy',
    'resources.a.ttl',
    'resources.a.audit.schedule',
    'resources.a.level',
    'resources.a.query',
  ];

  const nested = (path: string, value: unknown): unknown =>
    path.split('.').reduceRight<unknown>((inner, name) => ({ [name]: inner }), value);

  async function told(raw: unknown, env: Record<string, string> = {}): Promise<string> {
    const error: unknown = await loadConfig({ raw, env, cwd: folder }).catch(
      (cause: unknown) => cause,
    );
    return error instanceof ConfigError ? JSON.stringify([error.message, error.faults]) : '';
  }

  it.each([...groups, ...fields])('is not told: as the value of %s', async (path) => {
    for (const secret of [SECRET, ...URLS]) {
      // A valid resource name is shown, because that is how its faults are found.
      const named = path === 'resources' && secret === SECRET ? {} : { [secret]: 1 };
      for (const value of [secret, [secret], named, { x: secret }]) {
        expect(await told(nested(path, value))).not.toContain('S3CRET');
      }
    }
  });

  it.each(groups)('is not told: as a name within %s', async (group) => {
    for (const secret of group === 'resources' ? URLS : [SECRET, ...URLS]) {
      const faults = await told({ [group]: { [secret]: 'x' }, [secret]: {} });
      expect(faults).not.toBe('');
      expect(faults).not.toContain('S3CRET');
    }
  });

  it('is not told: as the value of a variable, or in the place of its file', async () => {
    for (const secret of [SECRET, ...URLS]) {
      const env = {
        LOCKSTEP_LISTEN_HOST: secret,
        LOCKSTEP_LOCKS_TTL: secret,
        LOCKSTEP_CACHE_URL: secret,
        LOCKSTEP_AUTH_TOKENS_ADMIN_FILE: secret,
        LOCKSTEP_DATABASE_INIT_SQL: secret,
        LOCKSTEP_NOTHING: secret,
      };
      expect(await told({}, env)).toMatch(/LOCKSTEP_AUTH_TOKENS_ADMIN_FILE: names a file/);
      expect(await told({}, env)).not.toContain('S3CRET');
    }
  });

  it.each([
    ['a.yaml', `database: { connection: ${SECRET}`],
    ['a.yaml', `a: ${SECRET}: b`],
    ['a.yaml', `a: "x" ${SECRET}`],
    ['a.yaml', `a: *${SECRET}`],
    ['a.yaml', `a: !${SECRET} b`],
    ['a.yaml', `{ ${SECRET}: 1, ${SECRET}: 2 }`],
    ['a.yaml', `a: @${SECRET}`],
    ['a.yaml', `a: "\\q${SECRET}"`],
    ['a.yaml', `a: 1\n  ${SECRET}`],
    ['a.json', `{"a": ${SECRET}}`],
    ['a.json', `${SECRET}`],
    ['a.json', `{"a": "${SECRET}}`],
    ['a.mjs', `throw new Error('${SECRET}')`],
    ['b.mjs', `export default ${SECRET}`],
    ['c.ts', `export default { a: new URL('${SECRET}') }`],
  ])('is not told: in %s that cannot be parsed: %s', async (name, text) => {
    const file = join(folder, name);
    await writeFile(file, text);
    const error: unknown = await loadConfig({ file, env: {}, cwd: folder }).catch(
      (cause: unknown) => cause,
    );
    expect(error).toBeInstanceOf(ConfigError);
    expect((error as ConfigError).message).not.toContain('S3CRET');
  });
});
