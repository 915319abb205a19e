import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type ApiServer, type Called, startApi } from '@lockstep/testkit/doubles/api-server';

let api: ApiServer;
beforeAll(async () => {
  api = await startApi();
});
afterAll(() => api.close());

const transact = (operations: unknown, headers = {}): Promise<Called> =>
  api.call('POST', '/v1/transactions', { body: { operations }, headers });
const put = (key: number, rest: object = {}): object => ({
  ...{ op: 'put', resource: 'account', key, value: { owner: 'ann', balance: 1 } },
  ...rest,
});

describe('a transaction', () => {
  it('answers each operation as its single call would be, in order', async () => {
    const answer = await transact([
      put(1),
      { op: 'put', resource: 'line', key: ['o/1', 7], value: { sku: 'x' } },
    ]);
    expect(answer).toMatchObject({
      status: 200,
      json: {
        outcome: 'applied',
        results: [
          { status: 201, resource: 'account', key: '1', version: 1, outcome: 'applied' },
          { status: 201, resource: 'line', key: ['o/1', '7'], version: 1 },
        ],
      },
    });
  });

  it('tells every wrong field of every operation, and applies nothing', async () => {
    const before = api.store.requests.length;
    const answer = await transact([
      put(2, { value: { owner: 5 } }),
      put(3),
      { op: 'get', resource: 'account', key: 4 },
      put(3),
      put(5, { idempotencyKey: 'x' }),
      'text',
    ]);
    expect(answer.status).toBe(422);
    const faults = answer.json['errors'] as { path: string }[];
    expect(faults.map(({ path }) => path)).toEqual([
      'operations.0.value.owner',
      'operations.2.op',
      'operations.3.key',
      'operations.4.idempotencyKey',
      'operations.5.operation',
    ]);
    expect(api.store.requests.length).toBe(before);
  });

  it('names the operation whose resource is not known', async () => {
    const answer = await transact([put(6), put(7, { resource: 'nothing' })]);
    expect(answer).toMatchObject({
      status: 404,
      json: { code: 'UNKNOWN_RESOURCE', operation: 1, outcome: 'not_applied' },
    });
  });

  it.each([[[]], ['all'], [undefined]])('of %j is INVALID', async (operations) => {
    expect((await transact(operations)).json['code']).toBe('INVALID');
  });

  it('is bounded in its operations', async () => {
    const many = Array.from({ length: 21 }, (_, index) => put(100 + index));
    expect(await transact(many)).toMatchObject({ status: 413, json: { code: 'TOO_LARGE' } });
  });

  it.each([
    [{ 'If-Match': '"1"' }, 'INVALID'],
    [{ 'Idempotency-Key': 'a b' }, 'INVALID'],
    [{ 'Lockstep-Timeout': '0' }, 'INVALID'],
    [{ 'Lockstep-Lease': 'not an id' }, 'UNKNOWN_LEASE'],
  ])('with the header %j is %s', async (headers, code) => {
    expect((await transact([put(8)], headers)).json['code']).toBe(code);
  });

  it('takes nothing but POST', async () => {
    const answer = await api.call('GET', '/v1/transactions');
    expect(answer.status).toBe(405);
    expect(answer.headers.get('allow')).toBe('POST');
  });
});
