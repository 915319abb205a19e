import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { ApiClient } from '../support/api-client.ts';
import { startInstance, type Instance } from '@lockstep/testkit/instances/instance';
import { expectProblem } from '../support/problem.ts';
import { embeddedShop, newId } from '../support/shop.ts';

const SQL = `create table priced (
  id int primary key,
  net int,
  gross int generated always as (net * 2) stored,
  line bigint generated always as identity
)`;

let instance: Instance;
let api: ApiClient;
beforeAll(async () => {
  const priced = { table: 'priced', key: ['id'], policy: 'strict' };
  instance = await startInstance({
    config: embeddedShop({ resources: { priced } }),
    files: { 'shop.sql': SQL },
  });
  api = new ApiClient(instance.url, instance.runtime.serviceToken);
});
afterAll(async () => {
  await api?.close();
  await instance?.dispose();
});

const pricedId = (): number => newId() % 2_000_000_000;

describe('a column that the database computes', () => {
  test('may be written back unchanged with the rest of its row', async () => {
    const id = pricedId();
    expect((await api.put('priced', id, { net: 5 })).status).toBe(201);
    const { value } = (await api.get('priced', id)).body;
    expect(value).toMatchObject({ net: 5, gross: 10 });
    const written = await api.put('priced', id, { ...value, net: 6 });
    expect(written.status).toBe(200);
    expect(written.body.value).toEqual({ ...value, net: 6, gross: 12 });
    const patched = await api.patch('priced', id, { net: 7, gross: 12 });
    expect(patched.body.value).toMatchObject({ net: 7, gross: 14 });
    const operation = { resource: 'priced', key: id, value: { net: 8, gross: 14 } };
    for (const path of ['/v1/batch', '/v1/transactions']) {
      const { body } = await api.post(path, { operations: [{ op: 'patch', ...operation }] });
      expect(JSON.stringify(body)).toContain('"gross":16');
      await api.patch('priced', id, { net: 7 });
    }
  });

  test('is refused by name with any other value, or if the row does not exist', async () => {
    const id = pricedId();
    for (const body of [
      { net: 5, gross: 10 },
      { net: 5, line: 1 },
    ]) {
      const refused = await api.put('priced', id, body);
      expectProblem(refused, 'INVALID');
      expect(refused.text).toMatch(/(gross|line) is computed by the database/);
    }
    expectProblem(await api.get('priced', id), 'NOT_FOUND');
    await api.put('priced', id, { net: 5 });
    expectProblem(await api.put('priced', id, { net: 5, gross: 11 }), 'INVALID');
    expectProblem(await api.patch('priced', id, { gross: null }), 'INVALID');
    const operations = [{ op: 'patch', resource: 'priced', key: id, value: { net: 9, gross: 18 } }];
    const refused = await api.post('/v1/transactions', { operations });
    expectProblem(refused, 'INVALID');
    expect(refused.text).toContain('operations.0.value.gross');
    expect((await api.get('priced', id)).body.value).toMatchObject({ net: 5, gross: 10 });
  });

  test('is refused together with an idempotency key, because a repeat must not depend on the row', async () => {
    const id = pricedId();
    await api.put('priced', id, { net: 5 });
    const refused = await api.call('PUT', `/v1/resources/priced/${id}`, {
      rawBody: '{"net":5,"gross":10}',
      headers: { 'content-type': 'application/json', 'idempotency-key': `computed-${id}` },
    });
    expectProblem(refused, 'INVALID');
  });
});
