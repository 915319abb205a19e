/** `PATCH` and `DELETE /v1/resources/{resource}?where=…` against running instances, on both databases. */
import { afterAll, describe, expect, test } from 'vitest';
import { type Instance, startInstance } from '@lockstep/testkit/instances/instance';
import { type Answer, ApiClient } from '../support/api-client.ts';
import { type ExternalServers, startExternalServers } from '../support/external-servers.ts';
import { expectProblem } from '../support/problem.ts';
import { useInstance } from '../support/shared-instance.ts';
import { newId, type SqlClient } from '../support/shop.ts';

const MOST = 12;

interface SetBody {
  outcome: string;
  affected: number;
  keys: string[];
  versions: number[];
  cache: string;
}

describe.each<SqlClient>(['pg', 'mysql2'])('sets on %s', (client) => {
  let servers: ExternalServers | undefined;
  let other: Instance | undefined;
  let reader: ApiClient | undefined;
  afterAll(async () => {
    await reader?.close();
    await other?.dispose();
    await servers?.stop();
  });
  const bed = useInstance(async () => {
    servers = await startExternalServers(client);
    other = await startInstance({ config: servers.config });
    reader = new ApiClient(other.runtime.url, other.runtime.serviceToken);
    // Few, so that a busy machine carries out as many in time.
    return { config: { ...servers.config, limits: { transactionOperations: MOST } } };
  });
  const through = (): ApiClient => {
    if (reader === undefined) throw new Error('The other coordinator has not been started');
    return reader;
  };
  const set = (
    method: 'PATCH' | 'DELETE',
    resource: string,
    where: object,
    rest: { body?: object; headers?: Record<string, string> } = {},
  ): Promise<Answer> =>
    bed.api.call(
      method,
      `/v1/resources/${resource}?where=${encodeURIComponent(JSON.stringify(where))}`,
      rest,
    );
  const bodyOf = (answer: Answer): SetBody => JSON.parse(answer.text) as SetBody;
  async function rows(resource: string, count: number, value: object): Promise<number[]> {
    const ids = Array.from({ length: count }, newId).sort((one, two) => one - two);
    for (const id of ids) {
      const put = await bed.api.put(resource, id, value);
      expect([put.status, put.text]).toEqual([201, put.text]);
    }
    return ids;
  }
  const between = (ids: readonly number[]): object => ({ $gte: ids[0], $lte: ids.at(-1) });
  const ownerOf = async (id: number): Promise<unknown> =>
    (await through().get('account', id)).body.value?.['owner'];

  test('W24: changes exactly the rows that match, and strict readers of another instance see them', async () => {
    const ids = await rows('account', 4, { owner: 'ann', balance: 10 });
    const [first = 0, second = 0, , last = 0] = ids;
    await bed.api.put('account', last, { owner: 'zed', balance: 10 });
    for (const id of ids) await ownerOf(id);
    const where = { id: between(ids), owner: 'ann', balance: { $lt: 100 } };
    const answer = await set('PATCH', 'account', where, {
      body: { owner: 'bea', $inc: { balance: 5 } },
    });
    expect(answer.status).toBe(200);
    expect(bodyOf(answer)).toMatchObject({
      ...{ outcome: 'applied', affected: 3, keys: ids.slice(0, 3).map(String) },
      ...{ versions: [2, 2, 2], cache: 'fresh' },
    });
    expect(await Promise.all(ids.map(ownerOf))).toEqual(['bea', 'bea', 'bea', 'zed']);
    expect((await through().get('account', second)).body).toMatchObject({ version: 2 });
    expect(await bed.behind.entry(`account:${first}`)).toMatchObject({ version: 2 });
  });

  test('W24: deletes them, also of a resource that is not strict', async () => {
    for (const resource of ['account', 'profile'] as const) {
      const body = resource === 'account' ? { owner: 'del' } : { name: 'del' };
      const ids = await rows(resource, 2, body);
      for (const id of ids) await through().get(resource, id);
      const answer = await set('DELETE', resource, { id: { $in: ids } });
      expect([answer.status, bodyOf(answer).affected]).toEqual([200, 2]);
      for (const id of ids) expect((await through().get(resource, id)).status).toBe(404);
    }
  });

  test('W25: refuses more rows than it may change, and changes none', async () => {
    const ids = Array.from({ length: MOST + 1 }, newId).sort((one, two) => one - two);
    const values = ids.map((id) => `(${id}, 'many', 1)`).join(', ');
    await bed.behind.sql(`insert into accounts (id, owner, balance) values ${values}`);
    const refused = await set(
      'PATCH',
      'account',
      { id: between(ids), owner: 'many' },
      {
        body: { owner: 'x' },
      },
    );
    expectProblem(refused, 'TOO_LARGE');
    expect(refused.body.detail).toContain(`at most ${MOST} (limits.transactionOperations)`);
    expect(await ownerOf(ids[0] ?? 0)).toBe('many');
    const ones = { id: { $in: ids.slice(0, MOST) }, owner: 'many' };
    const most = await set('PATCH', 'account', ones, { body: { owner: 'x' } });
    expect([most.status, most.text]).toEqual([200, expect.stringContaining(`"affected":${MOST}`)]);
  });

  test('a refused row takes back all of them, and is named', async () => {
    const ids = await rows('account', 2, { owner: 'ann', balance: 5 });
    const [first = 0] = ids;
    await bed.api.patch('account', first, { balance: 1 });
    // The shop allows no balance below -1,000.
    const refused = await set(
      'PATCH',
      'account',
      { id: between(ids) },
      {
        body: { $inc: { balance: -1_002 } },
      },
    );
    expectProblem(refused, 'CONSTRAINT');
    expect(refused.body.detail).toContain(`Row ${first}`);
    expect((await through().get('account', ids[1] ?? 0)).body).toMatchObject({ version: 1 });
  });

  test('an idempotency key answers the first outcome again', async () => {
    const ids = await rows('account', 2, { owner: 'once' });
    const where = { id: between(ids), owner: 'once' };
    const request = {
      body: { owner: 'twice' },
      headers: { 'Idempotency-Key': `set-${ids[0]}` },
    };
    const first = await set('PATCH', 'account', where, request);
    const again = await set('PATCH', 'account', where, request);
    expect(bodyOf(again)).toMatchObject({ affected: 2, keys: bodyOf(first).keys });
    expect(again.headers['idempotent-replayed']).toBe('true');
    const another = await set('PATCH', 'account', { id: between(ids) }, request);
    expectProblem(another, 'IDEMPOTENCY_KEY_REUSED');
  });

  test('W24: sets and single writes of the same rows lose no update, and no strict reader sees an older one', async () => {
    const ids = await rows('account', 3, { owner: 'race', balance: 0 });
    let isRunning = true;
    const stale: string[] = [];
    const reading = ids.map(async (id) => {
      for (let seen = 0; isRunning;) {
        const { version = 0 } = (await through().get('account', id)).body;
        if (version < seen) stale.push(`${id}: ${version} after ${seen}`);
        seen = Math.max(seen, version);
      }
    });
    const headers = { 'Lockstep-Timeout': '60000' };
    const body = { $inc: { balance: 1 } };
    const answers = await Promise.all([
      ...Array.from({ length: 8 }, () =>
        set('PATCH', 'account', { id: between(ids) }, { body, headers }),
      ),
      ...ids.flatMap((id) => [1, 2].map(() => through().patch('account', id, body, headers))),
    ]);
    isRunning = false;
    await Promise.all(reading);
    expect(stale).toEqual([]);
    expect(answers.map(({ status }) => status)).toEqual(answers.map(() => 200));
    for (const id of ids) {
      const { version, value } = (await through().get('account', id)).body;
      expect([version, Number(value?.['balance'])]).toEqual([11, 10]);
    }
  });
});
