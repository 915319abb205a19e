import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type ApiServer, startApi } from '@lockstep/testkit/doubles/api-server';

let api: ApiServer;
beforeAll(async () => {
  api = await startApi();
});
afterAll(() => api.close());

const insert = (resource: string, body: object, headers: Record<string, string> = {}) =>
  api.call('POST', `/v1/resources/${resource}`, { body, headers });

describe('POST /v1/resources/{resource}', () => {
  it('answers 201 with the key that the database made, and where the row is', async () => {
    const answer = await insert('ticket', { owner: 'ann' });
    expect(answer.status).toBe(201);
    const key = String(answer.json['key']);
    expect(answer.json).toMatchObject({
      resource: 'ticket',
      version: 1,
      value: { id: key, owner: 'ann' },
      outcome: 'applied',
    });
    expect(answer.headers.get('location')).toBe(`/v1/resources/ticket/${key}`);
    expect(answer.headers.get('etag')).toBe('"1"');
    const read = await api.call('GET', answer.headers.get('location') ?? '');
    expect(read.json['value']).toEqual(answer.json['value']);
    expect(api.store.requests.at(-1)).toMatchObject({
      isNewKey: true,
      change: { op: 'put', onlyCreate: true },
    });
  });

  it('with the whole key in its body is a put that only creates', async () => {
    const first = await insert('line', { order: 'a,b', n: 7, sku: 'x' });
    expect([first.status, first.headers.get('location')]).toEqual([
      201,
      '/v1/resources/line/a%2Cb,7',
    ]);
    expect(api.store.requests.at(-1)?.isNewKey).toBeUndefined();
    const again = await insert('line', { order: 'a,b', n: '007', sku: 'y' });
    expect([again.status, again.json['code']]).toEqual([412, 'VERSION_MISMATCH']);
  });

  it('has the hash of that put, and without the key one that goes by its body', async () => {
    const hashOf = async (method: string, path: string, body: object): Promise<unknown> => {
      const headers = { 'Idempotency-Key': 'k', ...(method === 'PUT' ? ONLY_CREATE : {}) };
      await api.call(method, path, { body, headers });
      return api.store.requests.at(-1)?.idempotency?.requestHash;
    };
    const whole = await hashOf('POST', '/v1/resources/line', { order: 'h', n: 1, sku: 'x' });
    expect(await hashOf('PUT', '/v1/resources/line/h,1', { sku: 'x' })).toBe(whole);
    const first = await hashOf('POST', '/v1/resources/ticket', { owner: 'a', balance: 1 });
    expect(await hashOf('POST', '/v1/resources/ticket', { balance: 1, owner: 'a' })).toBe(first);
    expect(await hashOf('POST', '/v1/resources/ticket', { owner: 'b', balance: 1 })).not.toBe(
      first,
    );
  });

  it('names every column that is wrong, and those of the key that nobody gives', async () => {
    const answer = await insert('line', { n: null, sku: 5, nothing: 1, $inc: {} });
    expect([answer.status, answer.json['code']]).toEqual([422, 'INVALID']);
    expect(answer.json['errors']).toEqual([
      { path: '$inc', message: expect.stringContaining('is not known') as unknown },
      { path: 'order', message: 'is of the key, and the database makes no value for it' },
      { path: 'n', message: 'must be a string, a number or a boolean' },
      { path: 'sku', message: expect.any(String) as unknown },
      { path: 'nothing', message: 'is not a column of this resource' },
    ]);
  });

  it.each([
    [{ 'If-Match': '"1"' }, 'If-Match'],
    [{ 'Lockstep-Lease': 'x' }, 'Lockstep-Lease'],
  ])('refuses %j, which names a row that is there', async (headers, path) => {
    const answer = await insert('ticket', { owner: 'ann' }, headers);
    expect([answer.status, answer.json['code']]).toEqual([422, 'INVALID']);
    expect(answer.json['errors']).toMatchObject([{ path }]);
  });

  it('answers a row in the way of a made key as a constraint', async () => {
    const { json } = await insert('ticket', { owner: 'ann' });
    await api.call('PUT', `/v1/resources/ticket/${Number(json['key']) + 1}`, { body: {} });
    const answer = await insert('ticket', { owner: 'bob' });
    expect([answer.status, answer.json['code'], answer.json['outcome']]).toEqual([
      409,
      'CONSTRAINT',
      'not_applied',
    ]);
  });

  it('is refused without a body, for a resource that is not there, and with another method', async () => {
    const codeOf = async (method: string, path: string, body?: object): Promise<unknown> =>
      (await api.call(method, path, body === undefined ? {} : { body })).json['code'];
    expect(await codeOf('POST', '/v1/resources/ticket')).toBe('MALFORMED');
    expect(await codeOf('POST', '/v1/resources/nothing', {})).toBe('UNKNOWN_RESOURCE');
    expect(await codeOf('GET', '/v1/resources/ticket')).toBe('METHOD_NOT_ALLOWED');
    expect(await codeOf('GET', '/v1/resources/ticket?a=/b')).toBe('METHOD_NOT_ALLOWED');
  });
});

describe('insert among many operations', () => {
  it('goes in a batch, each with a key of its own', async () => {
    const operations = [
      { op: 'insert', resource: 'ticket', value: { owner: 'ann' } },
      { op: 'insert', resource: 'ticket', value: { owner: 'bob' } },
      { op: 'insert', resource: 'ticket', key: 1, value: {} },
      { op: 'insert', resource: 'line', value: { sku: 'x' } },
      { op: 'insert', resource: 'line', value: { order: 'z', n: 1, sku: 'x' } },
      { op: 'get', resource: 'line', key: ['z', 1] },
    ];
    const { json } = await api.call('POST', '/v1/batch', { body: { operations } });
    const results = json['results'] as Record<string, unknown>[];
    expect(results.map(({ status }) => status)).toEqual([201, 201, 422, 422, 201, 200]);
    expect(results[0]?.['key']).not.toBe(results[1]?.['key']);
    expect(results[3]).toMatchObject({ errors: [{ path: 'value.order' }, { path: 'value.n' }] });
  });

  it('goes in a transaction', async () => {
    const operations = [
      { op: 'insert', resource: 'ticket', value: { owner: 'ann' } },
      { op: 'put', resource: 'account', key: 9, value: {} },
      { op: 'insert', resource: 'line', value: { order: 't', n: 1 } },
      { op: 'insert', resource: 'ticket', value: { owner: 'bob' } },
    ];
    const { status, json } = await api.call('POST', '/v1/transactions', { body: { operations } });
    expect(status).toBe(200);
    const results = json['results'] as Record<string, unknown>[];
    expect(results.map((result) => [result['status'], result['resource']])).toEqual([
      [201, 'ticket'],
      [201, 'account'],
      [201, 'line'],
      [201, 'ticket'],
    ]);
    expect(Number(results[3]?.['key'])).toBe(Number(results[0]?.['key']) + 1);
  });

  it('says which operation of a transaction is wrong', async () => {
    const operations = [
      { op: 'put', resource: 'account', key: 9, value: {} },
      { op: 'insert', resource: 'line', value: { n: 1 } },
    ];
    const { json } = await api.call('POST', '/v1/transactions', { body: { operations } });
    expect(json['errors']).toMatchObject([{ path: 'operations.1.value.order' }]);
  });
});

const ONLY_CREATE = { 'If-None-Match': '*' };
