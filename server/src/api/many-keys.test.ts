import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ADMIN_TOKEN, type ApiServer, startApi } from '@lockstep/testkit/doubles/api-server';

let api: ApiServer;
beforeAll(async () => {
  api = await startApi();
});
afterAll(() => api.close());

const batch = (operations: unknown) => api.call('POST', '/v1/batch', { body: { operations } });

describe('a batch', () => {
  it('answers each operation as its single call, in order', async () => {
    const answer = await batch([
      { op: 'put', resource: 'account', key: 1, value: { owner: 'ann', balance: 1 } },
      { op: 'get', resource: 'account', key: '404' },
      { op: 'put', resource: 'line', key: ['o/1', 7], value: { sku: 'x' } },
      { op: 'patch', resource: 'account', key: 1, value: { $inc: { balance: 4 } }, ifMatch: 1 },
      { op: 'patch', resource: 'account', key: 1, value: { owner: 5 } },
      { op: 'explode', resource: 'account', key: 1 },
      { op: 'get', resource: 'nothing', key: 1 },
      { op: 'delete', resource: 'account', key: 1, ifMatch: '"2"' },
      'text',
    ]);
    expect(answer.status).toBe(200);
    expect(answer.json['results']).toMatchObject([
      { status: 201, resource: 'account', key: '1', version: 1, outcome: 'applied' },
      { status: 404, code: 'NOT_FOUND' },
      { status: 201, key: ['o/1', '7'] },
      { status: 200, version: 2, value: { balance: 5 } },
      { status: 422, code: 'INVALID', errors: [{ path: 'value.owner' }] },
      { status: 422, code: 'INVALID', errors: [{ path: 'op' }] },
      { status: 404, code: 'UNKNOWN_RESOURCE' },
      { status: 200, value: null, version: 3 },
      { status: 422, code: 'INVALID' },
    ]);
  });

  it('reads keys together that it only reads, and in their order those that it writes too', async () => {
    const from = api.store.readOptions.length;
    const answer = await batch([
      { op: 'get', resource: 'account', key: 1 },
      { op: 'put', resource: 'account', key: 50, value: { balance: 1 } },
      { op: 'get', resource: 'account', key: 50 },
      { op: 'get', resource: 'account', key: 2, minVersion: 0 },
      { op: 'put', resource: 'account', key: 50, value: { balance: 2 } },
      { op: 'get', resource: 'account', key: 50 },
    ]);
    const results = answer.json['results'] as { status: number; version?: number }[];
    expect(results.map(({ status, version }) => [status, version])).toEqual([
      [404, undefined],
      [201, 1],
      [200, 1],
      [404, undefined],
      [200, 2],
      [200, 2],
    ]);
    expect(api.store.readOptions.slice(from).map((each) => each?.together)).toEqual([
      true,
      true,
      undefined,
      undefined,
    ]);
  });

  it('keeps the order of operations on one key, and runs few keys at once', async () => {
    let running = 0;
    let most = 0;
    api.store.before = async () => {
      most = Math.max(most, ++running);
      await new Promise((resolve) => setImmediate(resolve));
      running -= 1;
    };
    const puts = Array.from({ length: 20 }, (_, index) => ({
      op: 'put',
      resource: 'account',
      key: 100 + (index % 10),
      value: { balance: index },
    }));
    const answer = await batch(puts);
    api.store.before = () => Promise.resolve();
    const versions = (answer.json['results'] as { version: number }[]).map(
      ({ version }) => version,
    );
    expect(versions).toEqual([...Array<number>(10).fill(1), ...Array<number>(10).fill(2)]);
    expect(most).toBe(4);
  });

  it.each([
    [{}, 422, 'INVALID'],
    [{ operations: {} }, 422, 'INVALID'],
    [{ operations: [], more: 1 }, 422, 'INVALID'],
    [[], 422, 'INVALID'],
    [{ operations: Array(21).fill({}) }, 413, 'TOO_LARGE'],
  ])('that is itself wrong runs nothing: %j', async (body, status, code) => {
    const answer = await api.call('POST', '/v1/batch', { body });
    expect([answer.status, answer.json['code']]).toEqual([status, code]);
  });

  it('names a field that an operation does not have', async () => {
    const answer = await batch([{ op: 'get', resource: 'account', key: 1, ifmatch: 3 }]);
    expect(answer.json['results']).toMatchObject([{ status: 422, errors: [{ path: 'ifmatch' }] }]);
  });
});

describe('invalidations', () => {
  it('take keys and cache keys and say what each cache holds now', async () => {
    const body = { keys: [{ resource: 'account', key: 7 }], cacheKeys: ['owner:ann'] };
    const answer = await api.call('POST', '/v1/invalidations', { body });
    expect(answer.json).toEqual({
      results: [
        { resource: 'account', key: '7', cache: 'invalidated' },
        { cacheKey: 'owner:ann', cache: 'invalidated' },
      ],
    });
    expect(api.store.invalidated).toEqual(['account:7', 'owner:ann']);
  });

  it('K3: of a service take no cache key that no resource can have, and of nobody one of Lockstep', async () => {
    const own = 'lockstep:lock:account:7';
    const body = { cacheKeys: ['account:7', 'session:7', 'account:x', own] };
    const before = api.store.invalidated.length;
    const answer = await api.call('POST', '/v1/invalidations', { body });
    const paths = (errors: unknown): string[] =>
      (errors as { path: string }[]).map(({ path }) => path);
    expect([answer.status, paths(answer.json['errors'])]).toEqual([
      422,
      ['cacheKeys.1', 'cacheKeys.2', 'cacheKeys.3'],
    ]);
    const asAdmin = { token: ADMIN_TOKEN, body: { cacheKeys: ['session:7'] } };
    expect((await api.call('POST', '/v1/invalidations', asAdmin)).status).toBe(200);
    const refused = { token: ADMIN_TOKEN, body: { cacheKeys: [own] } };
    expect((await api.call('POST', '/v1/invalidations', refused)).status).toBe(422);
    expect(api.store.invalidated.slice(before)).toEqual(['session:7']);
  });

  it.each([
    [{}, 422, 'INVALID'],
    [{ keys: 'x' }, 422, 'INVALID'],
    [{ keys: [{ resource: 'account', key: 'x' }], cacheKeys: [5, ''] }, 422, 'INVALID'],
    [{ keys: [{ resource: 'nothing', key: 1 }] }, 404, 'UNKNOWN_RESOURCE'],
    [{ cacheKeys: Array(21).fill('x') }, 413, 'TOO_LARGE'],
  ])('that are wrong invalidate nothing: %j', async (body, status, code) => {
    const before = api.store.invalidated.length;
    const answer = await api.call('POST', '/v1/invalidations', { body });
    expect([answer.status, answer.json['code']]).toEqual([status, code]);
    expect(api.store.invalidated).toHaveLength(before);
  });
});
