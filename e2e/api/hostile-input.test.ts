import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { createServer, type AddressInfo } from 'node:net';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { RawClient } from '@lockstep/testkit/raw-client';
import { SeededRandom } from '@lockstep/testkit/seeded-random';
import { ApiClient } from '../support/api-client.ts';
import { startInstance, type Instance } from '@lockstep/testkit/instances/instance';
import { eventually } from '@lockstep/testkit/poll';
import { embeddedShop, newId, SHOP_SQL } from '../support/shop.ts';
import { openSideDoor, type SideDoor } from '../support/side-door.ts';
import { anyRequest } from '../support/any-request.ts';

const LOG_CHARACTERS = 100_000_000;
/** A row's value that stands nowhere else. */
const VALUE = 'ada-lovelace-1815@example.test';
/** The codes with which a request may be answered 5xx. */
const CONTRACT_5XX = new Set([
  ...['LOCK_TIMEOUT', 'LOCKS_UNAVAILABLE', 'DATABASE_UNAVAILABLE', 'CACHE_UNAVAILABLE'],
  ...['SHUTTING_DOWN', 'OUTCOME_UNKNOWN'],
]);

let instance: Instance;
let api: ApiClient;
let door: SideDoor;
let port = 0;

beforeAll(async () => {
  instance = await startInstance({
    config: embeddedShop({ log: { level: 'debug' } }),
    files: { 'shop.sql': SHOP_SQL.pg },
  });
  api = new ApiClient(instance.url, instance.runtime.serviceToken);
  door = openSideDoor(instance.runtime);
  port = Number(new URL(instance.url).port);
});
afterAll(async () => {
  await api?.close();
  await door?.close();
  await instance?.dispose();
});

/** Resident memory of the coordinator in MiB; null where the system does not say. */
function residentMiB(): number | null {
  try {
    const status = readFileSync(`/proc/${instance.pid}/status`, 'utf8');
    return Number(/VmRSS:\s+(\d+)/.exec(status)?.[1]) / 1024;
  } catch {
    return null;
  }
}

const hasCommand = (command: string, argument: string): boolean =>
  spawnSync(command, [argument], { stdio: 'ignore' }).status === 0;

test('prints no token unless the output is a terminal', () => {
  const printed = instance.logTail(LOG_CHARACTERS);
  expect(printed).toContain(instance.url);
  expect(printed).toContain('runtime.json');
  expect(printed).not.toContain(instance.runtime.adminToken);
  expect(printed).not.toContain(instance.runtime.serviceToken);
});

describe('a client that asks for HTTP/2', () => {
  test.runIf(hasCommand('curl', '--version'))(
    'such as curl is answered, and its connection goes on',
    () => {
      const { serviceToken } = instance.runtime;
      const url = `${instance.url}/v1/resources/document/by-curl`;
      const own = [
        '-s',
        '--http2',
        '-H',
        `Authorization: Bearer ${serviceToken}`,
        '-H',
        'Content-Type: application/json',
      ];
      const says = ['-o', '/dev/null', '-w', '%{http_code} %{num_connects}\n'];
      const body = JSON.stringify({ body: 'x'.repeat(100_000) });
      const put = [...own, ...says, '-X', 'PUT', '--data-binary', '@-', url];
      const get = [...own, ...says, url];
      const { stdout } = spawnSync('curl', [...put, '--next', ...get], {
        input: body,
        encoding: 'utf8',
      });
      expect(stdout).toBe('201 1\n200 0\n');
    },
  );

  test('is answered in HTTP/1.1, also when its request has a body', async () => {
    const client = await RawClient.open(port);
    const head = [
      `Host: 127.0.0.1:${port}`,
      `Authorization: Bearer ${instance.runtime.serviceToken}`,
    ];
    const wish = [
      'Connection: Upgrade, HTTP2-Settings',
      'Upgrade: h2c',
      'HTTP2-Settings: AAEAAEAAAAIAAAABAAMAAABkAAQBAAAAAAUAAEAA',
    ];
    const body = JSON.stringify({ operations: [{ op: 'get', resource: 'order', key: 1 }] });
    for (let round = 0; round < 3; round += 1) {
      client.send(
        'POST /v1/batch HTTP/1.1',
        ...head,
        ...wish,
        'Content-Type: application/json',
        `Content-Length: ${body.length}`,
        '',
        body,
      );
      expect((await client.answer())?.status).toBe(200);
    }
    client.close();
  });
});

test('a forged row in the members table makes no member and is sent no token', async () => {
  let received = '';
  const stranger = createServer((socket) => {
    socket.on('error', () => undefined);
    socket.on('data', (chunk) => (received += chunk.toString('latin1')));
  });
  await new Promise<void>((resolve) => stranger.listen(0, '127.0.0.1', resolve));
  const { port: at } = stranger.address() as AddressInfo;
  try {
    for (const url of [`http://127.0.0.1:${at}`, 'not a url', '', `http://u:p@127.0.0.1:${at}`]) {
      await door.sql(
        `insert into lockstep_members (instance, url, expiry_ms, is_leaving, started_at, seen_at)
         values ('stranger', ?, 3600000, false, now(), now())
         on conflict (instance) do update set url = excluded.url, seen_at = now()`,
        [url],
      );
      await eventually(() =>
        expect(instance.logTail(LOG_CHARACTERS)).toMatch(/are not in routing.peers/),
      );
      const id = newId();
      const lease = { 'lockstep-lease': 'stranger~x' };
      const write = await api.put('account', id, { owner: 'a' }, lease);
      expect([write.status, write.body.code]).toEqual([404, 'UNKNOWN_LEASE']);
      const routing = await api.call('GET', '/v1/routing');
      expect((routing.body as { members: unknown[] }).members).toHaveLength(1);
    }
    expect(received).toBe('');
  } finally {
    await door.sql("delete from lockstep_members where instance = 'stranger'");
    stranger.close();
  }
});

describe('hostile input', () => {
  test.each([1, 2, 3])(
    'gets orderly answers with no 5xx outside the contract, while others are served: seed %i',
    async (seed) => {
      const random = new SeededRandom(seed);
      const id = newId();
      expect((await api.put('account', id, { owner: 'bystander' })).status).toBe(201);
      const before = residentMiB();
      const odd: string[] = [];
      for (let round = 0; round < 50; round += 1) {
        const requests = Array.from({ length: 16 }, () =>
          anyRequest(random, instance.runtime.serviceToken),
        );
        const answers = requests.map((bytes) =>
          ask(bytes).then((fault) => fault !== null && odd.push(fault)),
        );
        const own = await api.get('account', id);
        expect([own.status, (own.body as { value: object }).value]).toMatchObject([
          200,
          { owner: 'bystander' },
        ]);
        await Promise.all(answers);
      }
      expect(odd).toEqual([]);
      expect(instance.isRunning).toBe(true);
      const after = residentMiB();
      if (before !== null && after !== null) expect(after - before).toBeLessThan(400);
    },
    120_000,
  );
});

/** Sends bytes and no more; what is wrong with the answer, null where nothing is. */
async function ask(bytes: string): Promise<string | null> {
  const client = await RawClient.open(port);
  client.socket.end(bytes, 'latin1');
  try {
    const answer = await client.answer();
    if (answer === null || answer.status < 500) return null;
    const { code } = JSON.parse(answer.body) as { code?: string };
    if (code !== undefined && CONTRACT_5XX.has(code)) return null;
    return `${answer.status} ${code} to ${bytes.slice(0, 300)}`;
  } finally {
    client.close();
  }
}

test('never puts a value of a row into the log, however its writes and reads end', async () => {
  const [one, other] = [newId(), newId()];
  const key = encodeURIComponent(VALUE);
  await api.put('account', one, { owner: VALUE, email: VALUE });
  await api.put('account', other, { owner: VALUE });
  // Constraints, wrong types, wrong names, missing rows, keys that are values, leases and waits that run out.
  expect((await api.put('account', other, { owner: 'x', email: VALUE })).body.code).toBe(
    'CONSTRAINT',
  );
  await api.put('account', other, { owner: 'x', balance: VALUE });
  await api.put('account', other, { [VALUE]: VALUE });
  await api.put('sample', newId(), { label: VALUE, happened_at: VALUE, document: { a: VALUE } });
  await api.patch('document', VALUE, { body: VALUE });
  await api.put('document', VALUE, { body: VALUE });
  await api.get('document', VALUE);
  await api.post('/v1/invalidations', { keys: [{ resource: 'document', key: VALUE }] });
  await api.post('/v1/leases', { resource: 'document', key: VALUE, ttl: '200ms' });
  const waits = { 'lockstep-timeout': '50', 'idempotency-key': VALUE };
  await api.put('document', VALUE, { body: 'x' }, waits);
  await api.call('GET', `/v1/resources/account/${key}`);
  await api.call('GET', `/v1/resources/${key}/${key}`);
  await door.cache.set(`document:${VALUE}`, `{"s":"value","v":1,"f":"${VALUE}"}\n"${VALUE}"`);
  await api.get('document', VALUE);
  await api.put('document', VALUE, { body: VALUE });
  await door.sql('delete from lockstep_members where false');
  const log = instance.logTail(LOG_CHARACTERS);
  expect(log).toContain('"level":20');
  const lines = log.split('\n').filter((line) => line.includes('lovelace'));
  expect(lines).toEqual([]);
});

test('forged entries and poisoned fences never cause an internal error', async () => {
  const texts = [
    ...[
      '',
      '\n',
      '{}',
      '{}\n',
      'null\nnull',
      '[]\n[]',
      '{"s":"value"}\n{}',
      '\0\xff',
      '{"s":"x","v":1}\n1',
    ],
    '{"s":"value","v":"1","f":1,"t":1}\n{"id":"1"}',
    '{"s":"value","v":1e400,"f":-1,"t":null}\n"x"',
    '{"s":"intent","v":1,"f":"NaN","t":1}\n',
    '{"s":"intent","v":1,"f":9007199254740993,"t":1,"i":"x"}\n',
    '{"s":"lease","v":1,"f":99999999999999999999,"t":1,"l":"x"}\n',
    '{"s":"tombstone","v":-1,"f":1.5,"t":1}\n',
    `{"s":"value","v":1,"f":1,"t":1}\n${'['.repeat(10_000)}`,
  ];
  const faults: string[] = [];
  for (const text of texts) {
    for (const resource of ['account', 'profile']) {
      const id = newId();
      const value = resource === 'account' ? { owner: 'a' } : { name: 'a' };
      await api.put(resource, id, value);
      await door.cache.set(`${resource}:${id}`, text);
      const short = { 'lockstep-timeout': '300' };
      for (const answer of [
        await api.get(resource, id),
        await api.patch(resource, id, value, short),
        await api.post('/v1/invalidations', { keys: [{ resource, key: id }] }),
        await api.call('GET', `/v1/resources/${resource}/${id}?consistency=primary`),
        await api.call('DELETE', `/v1/resources/${resource}/${id}`),
      ]) {
        if (answer.status < 500 || CONTRACT_5XX.has(answer.body.code ?? '')) continue;
        faults.push(
          `${answer.status} ${answer.body.code} with ${JSON.stringify(text.slice(0, 80))}`,
        );
      }
    }
  }
  expect(faults).toEqual([]);
});
