/** `/v1/guards` as services call it, and the rights that `lockstep_guard` needs. */
import { createConnection } from 'mysql2/promise';
import pg from 'pg';
import { afterAll, beforeEach, describe, expect, test } from 'vitest';
import type { Answer } from '../support/api-client.ts';
import { type ExternalServers, startExternalServers } from '../support/external-servers.ts';
import { expectProblem } from '../support/problem.ts';
import { useInstance } from '../support/shared-instance.ts';
import { newId, type SqlClient } from '../support/shop.ts';

interface Connection {
  run(statement: string): Promise<unknown>;
  end(): Promise<void>;
}
const CONNECT: Record<SqlClient, (url: string) => Promise<Connection>> = {
  pg: async (connectionString) => {
    const connection = new pg.Client({ connectionString });
    await connection.connect();
    return { run: (text) => connection.query(text), end: () => connection.end() };
  },
  mysql2: async (uri) => {
    const connection = await createConnection({ uri });
    return { run: (text) => connection.query(text), end: () => connection.end() };
  },
};

interface GuardBody {
  id: string;
  keys: { resource: string; key: string; fence: number; version: number }[];
  expiresAt: string;
}

describe.each<SqlClient>(['pg', 'mysql2'])('guards over HTTP on %s', (client) => {
  let servers: ExternalServers | undefined;
  afterAll(() => servers?.stop());
  const bed = useInstance(async () => {
    servers = await startExternalServers(client);
    return { config: servers.config };
  });
  let id = 0;
  beforeEach(async () => {
    id = newId();
    await bed.api.put('account', id, { owner: 'old' });
  });

  const take = (keys: object[], ttl: unknown = '10s', headers = {}): Promise<Answer> =>
    bed.api.call('POST', '/v1/guards', { body: { keys, ttl }, headers });
  const account = (): object => ({ resource: 'account', key: id });
  const bodyOf = (answer: Answer): GuardBody => JSON.parse(answer.text) as GuardBody;
  const tell = (guard: string, what: 'commit' | 'rollback'): Promise<Answer> =>
    bed.api.call('POST', `/v1/guards/${guard}/${what}`);
  const show = (guard: string): Promise<Answer> => bed.api.call('GET', `/v1/guards/${guard}`);
  const update = (): string => `update accounts set owner = 'new' where id = ${id}`;
  const callOf = ({ keys }: GuardBody): string => {
    const [{ fence, key }] = keys as [GuardBody['keys'][number]];
    return client === 'pg'
      ? `select lockstep_guard('account', ${fence}, '${key}')`
      : `call lockstep_guard('account', ${fence}, json_array('${key}'))`;
  };

  /** Runs statements on a connection of their own; an account other than the administrator has its name as password. */
  async function run(statements: readonly string[], user?: string): Promise<void> {
    const url = new URL(servers?.connection ?? '');
    if (user !== undefined) [url.username, url.password] = [user, user];
    const connection = await CONNECT[client](url.href);
    try {
      for (const statement of statements) await connection.run(statement);
    } finally {
      await connection.end();
    }
  }

  test('a guard is granted, shown, committed once, and is unknown after that', async () => {
    const taken = await take([account()]);
    expect(taken.status).toBe(201);
    const guard = bodyOf(taken);
    expect(taken.headers['location']).toBe(`/v1/guards/${guard.id}`);
    expect(guard).toMatchObject({
      keys: [
        { resource: 'account', key: String(id), fence: expect.any(Number) as number, version: 1 },
      ],
    });
    const leftMs = Date.parse(guard.expiresAt) - Date.now();
    expect(leftMs).toBeGreaterThan(1_000);
    expect(leftMs).toBeLessThanOrEqual(10_000);
    const shown = await show(guard.id);
    expect([shown.status, bodyOf(shown)]).toEqual([200, guard]);

    await run(['begin', callOf(guard), update(), 'commit']);
    const committed = await tell(guard.id, 'commit');
    expect(committed.status).toBe(200);
    expect(JSON.parse(committed.text)).toEqual({
      // On MySQL and MariaDB the row has an entity tag of its own, which readers learn from the database.
      results: [
        {
          ...{ resource: 'account', key: String(id), version: 2 },
          cache: client === 'pg' ? 'fresh' : 'invalidated',
        },
      ],
    });
    expect((await bed.api.get('account', id)).body).toMatchObject({
      ...{ version: 2, value: { owner: 'new' } },
    });
    for (const again of [await show(guard.id), await tell(guard.id, 'commit')])
      expectProblem(again, 'UNKNOWN_GUARD');
  });

  test('a rollback is answered 204, and the key is open again', async () => {
    const guard = bodyOf(await take([account()]));
    await run(['begin', callOf(guard), update(), 'rollback']);
    const told = await tell(guard.id, 'rollback');
    expect([told.status, told.text]).toEqual([204, '']);
    expectProblem(await tell(guard.id, 'rollback'), 'UNKNOWN_GUARD');
    const put = await bed.api.put('account', id, { owner: 'next' }, { 'Lockstep-Timeout': '5000' });
    expect([put.status, put.body.version]).toEqual([200, 2]);
  });

  test('Lockstep-Timeout bounds the wait for a key that is held', async () => {
    const guard = bodyOf(await take([account()]));
    const refused = await take([account()], '10s', { 'Lockstep-Timeout': '50' });
    expectProblem(refused, 'LOCK_TIMEOUT');
    await tell(guard.id, 'rollback');
    const open = await take([account()], '10s', { 'Lockstep-Timeout': '5000' });
    expect(open.status).toBe(201);
    await tell(bodyOf(open).id, 'rollback');
  });

  test('W23: one that ran out is lost, with what became of its transaction', async () => {
    const committed = bodyOf(await take([account()], 300));
    await run(['begin', callOf(committed), update(), 'commit']);
    await expect.poll(async () => (await show(committed.id)).status, { timeout: 10_000 }).toBe(409);
    const results = [{ resource: 'account', key: String(id), version: 2 }];
    for (const answer of [await tell(committed.id, 'commit'), await show(committed.id)]) {
      expectProblem(answer, 'GUARD_LOST', 'applied');
      expect(answer.body).toMatchObject({ version: 2, results });
    }
    const unused = bodyOf(await take([account()], 300));
    await expect.poll(async () => (await show(unused.id)).status, { timeout: 10_000 }).toBe(409);
    const lost = await tell(unused.id, 'commit');
    expectProblem(lost, 'GUARD_LOST');
    expect(lost.body).not.toHaveProperty('version');
    expect((await bed.api.get('account', id)).body.value).toMatchObject({ owner: 'new' });
  });

  test('an id that is none is unknown, also where it names another instance', async () => {
    for (const unknown of ['nonsense', 'elsewhere~0123456789abcdef']) {
      expectProblem(await show(unknown), 'UNKNOWN_GUARD');
      expectProblem(await tell(unknown, 'commit'), 'UNKNOWN_GUARD');
      expectProblem(await tell(unknown, 'rollback'), 'UNKNOWN_GUARD');
    }
  });

  test.each([
    ['no keys', [], '10s', 'keys'],
    ['a resource that is not strict', [{ resource: 'profile', key: 1 }], '10s', 'keys.0.resource'],
    ['a resource that is not there', [{ resource: 'nothing', key: 1 }], '10s', 'UNKNOWN_RESOURCE'],
    ['a key of another type', [{ resource: 'account', key: 'x' }], '10s', 'keys.0.key'],
    [
      'one row twice',
      [
        { resource: 'account', key: 1 },
        { resource: 'account', key: '01' },
      ],
      '10s',
      'keys.1.key',
    ],
    ['no duration', [{ resource: 'account', key: 1 }], 'soon', 'ttl'],
    ['too long', [{ resource: 'account', key: 1 }], '2h', 'ttl'],
  ])('refuses %s, and names it', async (_what, keys, ttl, path) => {
    const refused = await take(keys, ttl);
    expect(refused.status).toBeGreaterThanOrEqual(400);
    expect(refused.status).toBeLessThan(500);
    expect(refused.text).toContain(path);
  });

  test('a service without any right on Lockstep’s tables calls lockstep_guard', async () => {
    const service = `guarded_${client}`;
    await run(
      client === 'pg'
        ? [
            `create role ${service} login password '${service}'`,
            `grant select, update on accounts to ${service}`,
            'revoke execute on function lockstep_guard(text, bigint, text[]) from public',
            `grant execute on function lockstep_guard(text, bigint, text[]) to ${service}`,
          ]
        : [
            `create user '${service}'@'%' identified by '${service}'`,
            `grant select, update on shop.accounts to '${service}'@'%'`,
            `grant execute on procedure shop.lockstep_guard to '${service}'@'%'`,
          ],
    );
    for (const table of ['lockstep_guards', 'lockstep_keys'])
      await expect(run([`select * from ${table}`], service)).rejects.toThrow(/denied/);
    const guard = bodyOf(await take([account()]));
    await run(['begin', callOf(guard), update(), 'commit'], service);
    const committed = await tell(guard.id, 'commit');
    expect([committed.status, committed.body.results]).toMatchObject([200, [{ version: 2 }]]);
    expect((await bed.api.get('account', id)).body.value).toMatchObject({ owner: 'new' });
  });

  test('guards are counted, and how they end', async () => {
    const count = async (name: string): Promise<number> => {
      const { text } = await bed.admin.call('GET', '/metrics');
      const [, value = 'NaN'] =
        new RegExp(`^${name.replace(/[{}]/g, '\\$&')} (\\d+)$`, 'm').exec(text) ?? [];
      return Number(value);
    };
    const steps = ['taken', 'committed', 'rolled_back', 'lost'] as const;
    const all = () =>
      Promise.all(steps.map((step) => count(`lockstep_guards_total{step="${step}"}`)));
    const before = await all();
    const guard = bodyOf(await take([account()]));
    expect(await count('lockstep_guards_held')).toBe(1);
    await run(['begin', callOf(guard), update(), 'commit']);
    await tell(guard.id, 'commit');
    await tell(bodyOf(await take([account()])).id, 'rollback');
    await tell(bodyOf(await take([account()])).id, 'commit');
    const after = await all();
    expect(after.map((each, index) => each - (before[index] ?? 0))).toEqual([3, 1, 1, 1]);
    expect(await count('lockstep_guards_held')).toBe(0);
  });
});
