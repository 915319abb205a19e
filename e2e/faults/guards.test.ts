/**
 * Guarded transactions while the service, its database connection and the coordinator that holds the guard die, judged
 * by strict readers through another coordinator: none is answered an older owner than one before.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { afterAll, afterEach, beforeEach, describe, expect, test } from 'vitest';
import { type Instance, startInstance } from '@lockstep/testkit/instances/instance';
import { ApiClient } from '../support/api-client.ts';
import { type ExternalServers, startExternalServers } from '../support/external-servers.ts';
import { expectProblem } from '../support/problem.ts';
import { useInstance } from '../support/shared-instance.ts';
import { newId, type SqlClient } from '../support/shop.ts';

const TTL = '3s';

/**
 * A service: one process with one connection, whose number in the database it says first. It runs the statements of each
 * line that it is told, and says `done` or `failed`. It lives on if its connection is cut.
 */
const SERVICE = (connect: string): string => `
  import { createInterface } from 'node:readline';
  ${connect}
  client.on('error', () => undefined);
  console.log(await number());
  const run = async (statements) => {
    for (const statement of statements) await client.query(statement);
  };
  for await (const line of createInterface({ input: process.stdin }))
    console.log(await run(JSON.parse(line)).then(() => 'done', () => 'failed'));`;
const SERVICES: Record<SqlClient, string> = {
  pg: SERVICE(`import pg from 'pg';
    const client = new pg.Client({ connectionString: process.argv[1] });
    await client.connect();
    const number = async () => (await client.query('select pg_backend_pid() as n')).rows[0].n;`),
  mysql2: SERVICE(`import { createConnection } from 'mysql2/promise';
    const client = await createConnection({ uri: process.argv[1] });
    const number = async () => (await client.query('select connection_id() as n'))[0][0].n;`),
};
const CUT: Record<SqlClient, (connection: string) => string> = {
  pg: (connection) => `select pg_terminate_backend(${connection})`,
  mysql2: (connection) => `kill ${connection}`,
};

interface Service {
  /** @throws Error if a statement fails */
  run(...statements: string[]): Promise<void>;
  /** The database ends its connection; the service itself lives. */
  cutConnection(): Promise<void>;
  kill(): Promise<void>;
}

describe.each<SqlClient>(['pg', 'mysql2'])('guarded transactions on %s', (client) => {
  let servers: ExternalServers | undefined;
  let other: Instance | undefined;
  let reader: ApiClient | undefined;
  const services: Service[] = [];
  afterAll(async () => {
    await reader?.close();
    await other?.dispose();
    await servers?.stop();
  });
  const bed = useInstance(async () => {
    servers = await startExternalServers(client);
    other = await startInstance({ config: servers.config });
    reader = new ApiClient(other.runtime.url, other.runtime.serviceToken);
    return { config: servers.config };
  });
  let id = 0;
  beforeEach(async () => {
    id = newId();
    await bed.api.put('account', id, { owner: 'old' });
    expect(await owner()).toBe('old');
  });
  afterEach(async () => {
    for (const service of services.splice(0)) await service.kill();
  });

  const through = (): ApiClient => {
    if (reader === undefined) throw new Error('The other coordinator has not been started');
    return reader;
  };
  /** As a strict reader sees it. */
  const owner = async (): Promise<unknown> =>
    (await through().get('account', id)).body.value?.['owner'];

  async function take(): Promise<{ id: string; call: string }> {
    const body = { keys: [{ resource: 'account', key: id }], ttl: TTL };
    const taken = await bed.api.call('POST', '/v1/guards', { body });
    expect(taken.status).toBe(201);
    const guard = JSON.parse(taken.text) as { id: string; keys: [{ fence: number }] };
    const [{ fence }] = guard.keys;
    const call =
      client === 'pg'
        ? `select lockstep_guard('account', ${fence}, '${id}')`
        : `call lockstep_guard('account', ${fence}, json_array('${id}'))`;
    return { id: guard.id, call };
  }

  async function service(): Promise<Service> {
    const script = ['--input-type=module', '--eval', SERVICES[client], '--'];
    const child = spawn(process.execPath, [...script, servers?.connection ?? ''], {
      cwd: import.meta.dirname,
      stdio: ['pipe', 'pipe', 'inherit'],
    });
    const ended = once(child, 'exit');
    const answer = async (): Promise<string> => {
      const failed = ended.then(() => Promise.reject(new Error('The service failed.')));
      const [said] = (await Promise.race([once(child.stdout, 'data'), failed])) as [Buffer];
      return said.toString().trim();
    };
    let connection = '';
    const started: Service = {
      run: async (...statements) => {
        child.stdin.write(`${JSON.stringify(statements)}\n`);
        if ((await answer()) !== 'done') throw new Error('A statement of the service failed.');
      },
      cutConnection: async () => {
        await bed.behind.sql(CUT[client](connection));
      },
      kill: async () => {
        child.kill('SIGKILL');
        await ended;
      },
    };
    services.push(started);
    connection = await answer();
    return started;
  }

  const update = (): string => `update accounts set owner = 'new' where id = ${id}`;
  const settled = () =>
    expect.poll(async () => (await bed.behind.entry(`account:${id}`))?.state, {
      timeout: 60_000,
      interval: 100,
    });

  test('W21, W23: a service that is killed between commit and tell', async () => {
    const writer = await service();
    const guard = await take();
    await writer.run('begin', guard.call, update(), 'commit');
    expect(await owner()).toBe('new');
    await writer.kill();
    await settled().not.toBe('intent');
    expect(await owner()).toBe('new');
    const told = await bed.api.call('POST', `/v1/guards/${guard.id}/commit`);
    const applied = { code: 'GUARD_LOST', outcome: 'applied', version: 2 };
    expect([told.status, told.body]).toMatchObject([409, applied]);
  });

  test('W22: a service that is killed with its transaction open, and its connection with it', async () => {
    const writer = await service();
    const guard = await take();
    await writer.run('begin', guard.call, update());
    expect(await owner()).toBe('old');
    await writer.kill();
    await settled().not.toBe('intent');
    expect(await owner()).toBe('old');
    const told = await bed.api.call('POST', `/v1/guards/${guard.id}/commit`);
    expectProblem(told, 'GUARD_LOST');
    expect(told.body).toMatchObject({ outcome: 'not_applied' });
    await expect(bed.behind.sql(guard.call)).rejects.toThrow(/LS409/);
  });

  test('W22, W23: a connection that is cut in the transaction, and told as a rollback: the key is open at once', async () => {
    const writer = await service();
    const guard = await take();
    await writer.run('begin', guard.call, update());
    await writer.cutConnection();
    await expect(writer.run(update())).rejects.toThrow('A statement of the service failed.');
    const told = await bed.api.call('POST', `/v1/guards/${guard.id}/rollback`);
    expect([told.status, told.text]).toEqual([204, '']);
    expect(await owner()).toBe('old');
    const next = await bed.api.put(
      'account',
      id,
      { owner: 'next' },
      { 'Lockstep-Timeout': '5000' },
    );
    expect([next.status, next.body.version]).toEqual([200, 2]);
    expect(await owner()).toBe('next');
    await expect(bed.behind.sql(guard.call)).rejects.toThrow(/LS409/);
  });

  test('W23: a connection that is cut in the transaction, and told as a commit: it is not believed', async () => {
    const writer = await service();
    const guard = await take();
    await writer.run('begin', guard.call, update());
    await writer.cutConnection();
    const told = await bed.api.call('POST', `/v1/guards/${guard.id}/commit`);
    expectProblem(told, 'GUARD_LOST');
    expect(told.body).toMatchObject({ outcome: 'not_applied' });
    expect(await owner()).toBe('old');
    await bed.api.put('account', id, { owner: 'next' }, { 'Lockstep-Timeout': '5000' });
    expect(await owner()).toBe('next');
  });

  test('W23: a connection that is cut after the commit, and told as a rollback: it has committed', async () => {
    const writer = await service();
    const guard = await take();
    await writer.run('begin', guard.call, update(), 'commit');
    await writer.cutConnection();
    const told = await bed.api.call('POST', `/v1/guards/${guard.id}/rollback`);
    const applied = { code: 'GUARD_LOST', outcome: 'applied', version: 2 };
    expect([told.status, told.body]).toMatchObject([409, applied]);
    expect(await owner()).toBe('new');
    const next = await bed.api.put(
      'account',
      id,
      { owner: 'next' },
      { 'Lockstep-Timeout': '5000' },
    );
    expect(next.body.version).toBe(3);
  });

  test('W23: a coordinator that is killed while it holds a guard, whose transaction commits after that', async () => {
    const writer = await service();
    const guard = await take();
    await writer.run('begin', guard.call, update());
    await bed.instance.kill();
    try {
      // The other one may begin a recovery meanwhile: it waits for the row that the transaction has locked.
      await writer.run('commit');
      expect(await owner()).toBe('new');
      // Until the other one knows that it is gone, it cannot tell.
      await expect
        .poll(
          async () =>
            (await through().call('POST', `/v1/guards/${guard.id}/commit`)).body.outcome ?? null,
          { timeout: 60_000, interval: 200 },
        )
        .toBe('applied');
      expect(await owner()).toBe('new');
    } finally {
      await bed.instance.start();
      await bed.reconnect();
    }
  });
});
