import { mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { systemRuntime } from '../runtime/index.ts';
import { ConfigError, loadConfig, resolveTokens } from './index.ts';

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

describe('a configuration', () => {
  it('has a sane default for everything', async () => {
    const config = await load(undefined);
    expect(config.listen).toEqual({ host: '127.0.0.1', port: 7400, drainDelayMs: null });
    expect(config.database).toMatchObject({
      mode: 'embedded',
      client: 'pg',
      statementTimeoutMs: 3000,
    });
    expect(config.cache).toEqual({ mode: 'embedded', commandTimeoutMs: 500, waitReplicas: 0 });
    expect(config.locks).toMatchObject({
      mode: 'embedded',
      nodeCount: 3,
      ttlMs: 8000,
      waitTimeoutMs: 5000,
    });
    expect(config.auth).toEqual({
      mode: 'required',
      origins: [],
      tokens: { service: null, admin: null, metrics: null },
    });
    expect(config.limits).toMatchObject({
      bodyBytes: 262_144,
      keyBytes: 2048,
      batchOperations: 100,
      transactionOperations: 100,
    });
    expect(config.leases).toEqual({ max: 1000, maxTtlMs: 60_000, maxLifeMs: 3_600_000 });
    expect(config.resources).toEqual([]);
    expect(Object.isFrozen(config.database.pool)).toBe(true);
  });

  it('routes nothing by itself, and takes an address without a path', async () => {
    expect((await load(undefined)).routing).toEqual({
      ...{
        mode: 'serve',
        address: null,
        peers: [],
        heartbeatMs: 1_000,
        expiryMs: 5_000,
        maxForwards: 256,
      },
    });
    const { routing } = await load({
      routing: {
        ...{ mode: 'forward', address: 'https://one.test:7400/', maxForwards: 3 },
        ...{ heartbeat: '250ms', expiry: '500ms', peers: ['https://two.test:7400/'] },
      },
      auth: { tokens: { service: 'the-same-on-every-coordinator' } },
    });
    expect(routing).toEqual({
      ...{ mode: 'forward', address: 'https://one.test:7400', maxForwards: 3 },
      ...{ heartbeatMs: 250, expiryMs: 500, peers: ['https://two.test:7400'] },
    });
    const peers = ['http://127.0.0.1:7401'];
    const loopback = { routing: { mode: 'forward', peers }, auth: { mode: 'off' } };
    expect((await load(loopback)).routing).toMatchObject({ mode: 'forward', address: null });
  });

  it('reads every field of a resource, also those that its policy has no use for', async () => {
    const config = await load({
      resources: {
        account: {
          ...account,
          columns: ['id', 'owner', 'balance'],
          cacheKey: 'account:{id}',
          ttl: '10m',
          ttlJitter: 0.1,
          negativeTtl: '30s',
          policy: 'strict',
          onWrite: 'set',
          secondDeleteAfter: '1s',
          level: 'redis',
          invalidates: ['owner:{owner}:accounts'],
          audit: { every: '1m', sample: 500, grace: '2s', repair: 'refresh' },
        },
      },
    });
    expect(config.resources[0]).toMatchObject({
      name: 'account',
      table: 'accounts',
      key: ['id'],
      columns: ['id', 'owner', 'balance'],
      ttlMs: 600_000,
      negativeTtlMs: 30_000,
      policy: 'strict',
      audit: { when: { everyMs: 60_000 }, sample: 500, graceMs: 2000, repair: 'refresh' },
    });
  });

  it('fills in a resource of which only table and key are given', async () => {
    const config = await load({
      resources: { line: { table: 'lines', key: ['order_id', 'line'] } },
    });
    expect(config.resources[0]).toMatchObject({
      cacheKey: 'line:{order_id}:{line}',
      policy: 'delete-after-write',
      onWrite: 'set',
      ttlMs: 600_000,
      audit: null,
    });
    expect(config.resources[0]).not.toHaveProperty('columns');
  });

  it('keeps the statement timeout under a short lock TTL by itself', async () => {
    expect((await load({ locks: { ttl: '2s' } })).database.statementTimeoutMs).toBe(1000);
  });

  it('takes external servers by their URLs alone', async () => {
    const config = await load({
      database: { connection: 'mariadb://u:p@db/shop' },
      cache: { url: 'redis://cache:6379' },
      locks: { nodes: ['redis://a', 'redis://b', 'redis://c'] },
    });
    expect(config.database).toMatchObject({ mode: 'external', client: 'mysql2' });
    expect(config.cache.mode).toBe('single');
    expect(config.locks).toMatchObject({
      mode: 'external',
      nodes: ['redis://a', 'redis://b', 'redis://c'],
    });
  });
});

describe('Sentinels', () => {
  const raw = { cache: { sentinels: ['redis://:p@a:26379', 'redis://:p@b'], name: 'main' } };

  it('stand in the place of the cache’s address', async () => {
    expect((await load(raw)).cache).toEqual({
      ...{ mode: 'sentinel', ...raw.cache, commandTimeoutMs: 500, waitReplicas: 0 },
      ...{ username: null, password: null, database: 0 },
    });
  });

  it('have a master with credentials of its own, which may come from a file', async () => {
    const path = join(folder, 'cache-secret');
    await writeFile(path, 'p w\n');
    const config = await load(raw, {
      LOCKSTEP_CACHE_USERNAME: 'app',
      LOCKSTEP_CACHE_PASSWORD_FILE: path,
      LOCKSTEP_CACHE_DATABASE: '3',
    });
    expect(config.cache).toMatchObject({ username: 'app', password: 'p w', database: 3 });
  });
});

describe('variables', () => {
  const raw = { resources: { 'order-line': { table: 'lines', key: ['id'] } } };

  it('override the file by the path of the setting', async () => {
    const config = await load(raw, {
      LOCKSTEP_LISTEN_PORT: '0',
      LOCKSTEP_LOCKS_WAIT_TIMEOUT: '750ms',
      LOCKSTEP_DATABASE_POOL_MAX: '7',
      LOCKSTEP_LOCKS_NODES: 'redis://a, redis://b',
      LOCKSTEP_RESOURCES_ORDER_LINE_TTL: '5s',
      LOCKSTEP_RESOURCES_ORDER_LINE_AUDIT_SAMPLE: '9',
    });
    expect(config.listen.port).toBe(0);
    expect(config.locks).toMatchObject({ waitTimeoutMs: 750, nodes: ['redis://a', 'redis://b'] });
    expect(config.database.pool.max).toBe(7);
    expect(config.resources[0]).toMatchObject({ ttlMs: 5000, audit: { sample: 9 } });
    expect(raw).toEqual({ resources: { 'order-line': { table: 'lines', key: ['id'] } } });
  });

  it('read secrets from files', async () => {
    const path = join(folder, 'secret');
    await writeFile(path, 'postgres://u:p@h/d\n');
    const alone = { cache: { mode: 'embedded' }, locks: { mode: 'embedded' } };
    const config = await load(alone, { LOCKSTEP_DATABASE_CONNECTION_FILE: path });
    expect(config.database).toMatchObject({ connection: 'postgres://u:p@h/d' });
  });

  it('that name no setting stop the start where they name a group, and warn elsewhere', async () => {
    expect(await faultsOf({}, { LOCKSTEP_LISTEN_PRT: '1' })).toEqual([
      expect.stringMatching(/^LOCKSTEP_LISTEN_PRT: is not a setting/),
    ]);
    const loaded = await loadConfig({
      raw: {},
      env: { LOCKSTEP_SERVICE_HOST: '10.0.0.1' },
      cwd: folder,
    });
    expect(loaded.warnings).toEqual([
      'LOCKSTEP_SERVICE_HOST is not a setting of Lockstep: ignored',
    ]);
  });

  it('are checked like the file', async () => {
    expect(await faultsOf({}, { LOCKSTEP_LISTEN_PORT: 'http' })).toEqual([
      expect.stringMatching(/^listen\.port: is a wrong text; /),
    ]);
    expect(await faultsOf({}, { LOCKSTEP_CACHE_URL_FILE: '/nowhere' })).toEqual([
      expect.stringMatching(/^LOCKSTEP_CACHE_URL_FILE: names a file that cannot be read/),
    ]);
  });
});

describe('a configuration file', () => {
  it.each([
    ['yaml', 'listen: { port: 7411 }\ndatabase: { initSql: ./schema.sql }\n'],
    ['json', '{"listen": {"port": 7411}, "database": {"initSql": "./schema.sql"}}'],
    [
      'ts',
      'interface P { port: number }\nconst listen: P = { port: 7411 };\nexport default { listen, database: { initSql: "./schema.sql" } };\n',
    ],
  ])('may be %s, with paths relative to it', async (extension, text) => {
    await writeFile(join(folder, 'schema.sql'), 'create table t ()');
    const file = join(folder, `lockstep.${extension}`);
    await writeFile(file, text);
    const { config } = await loadConfig({ file, env: {}, cwd: '/' });
    expect(config.listen.port).toBe(7411);
    expect(config.database).toMatchObject({
      initSql: { path: join(folder, 'schema.sql'), text: 'create table t ()' },
    });
  });

  it.each([
    ['absent.yaml', null, /absent\.yaml: cannot be read: ENOENT/],
    [
      'twice.yaml',
      'a: 1\na: 2\n',
      /twice\.yaml: is not valid YAML: a name appears twice in one mapping at line 2/,
    ],
    ['broken.json', '{', /broken\.json: is not valid JSON/],
    ['throws.ts', 'throw new Error("nope")', /throws\.ts: cannot be loaded: Error/],
    ['config.toml', '', /config\.toml: has an unknown extension; allowed: \.yaml/],
  ])('that cannot be read is named: %s', async (name, text, pattern) => {
    if (text !== null) await writeFile(join(folder, name), text);
    await expect(loadConfig({ file: name, env: {}, cwd: folder })).rejects.toThrow(pattern);
  });
});

describe('tokens', () => {
  const { ids } = systemRuntime({ debug() {}, info() {}, warn() {}, error() {} });
  const auth = { mode: 'required', tokens: { service: null, admin: null, metrics: null } } as const;

  it('are made once and kept where only the owner reads them', async () => {
    const dataDir = join(folder, 'data');
    const [first, second] = await Promise.all([
      resolveTokens(auth, dataDir, ids),
      resolveTokens(auth, dataDir, ids),
    ]);
    expect(first).toEqual(second);
    expect(first.admin).not.toBe(first.service);
    expect((await stat(join(dataDir, 'tokens.json'))).mode & 0o777).toBe(0o600);
    await writeFile(join(dataDir, 'tokens.json'), '{"serv');
    const renewed = await resolveTokens(auth, dataDir, ids);
    expect(JSON.parse(await readFile(join(dataDir, 'tokens.json'), 'utf8'))).toEqual(renewed);
  });

  it('of the configuration go first', async () => {
    const tokens = { service: 's'.repeat(16), admin: 'a'.repeat(16) };
    expect(await resolveTokens({ tokens }, join(folder, 'none'), ids)).toEqual(tokens);
  });
});
