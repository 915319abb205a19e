import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type ApiServer, startApi } from '@lockstep/testkit/doubles/api-server';

let api: ApiServer;
beforeAll(async () => {
  api = await startApi();
});
afterAll(() => api.close());

describe('a write', () => {
  it('answers what became of it, 201 where it created the row', async () => {
    const created = await api.call('PUT', '/v1/resources/account/1', {
      body: { owner: 'ann', balance: 5 },
    });
    expect(created.status).toBe(201);
    expect(created.headers.get('etag')).toBe('"1"');
    expect(created.json).toEqual({
      resource: 'account',
      key: '1',
      version: 1,
      value: { id: '1', owner: 'ann', balance: 5 },
      outcome: 'applied',
      cache: 'fresh',
      policy: 'strict',
      fence: 7,
      waitMs: 0.12,
      token: created.headers.get('lockstep-token'),
    });
    const replaced = await api.call('PUT', '/v1/resources/account/1', {
      body: { id: 1, owner: 'bob' },
    });
    expect([replaced.status, replaced.json['version']]).toEqual([200, 2]);
    const patched = await api.call('PATCH', '/v1/resources/account/1', {
      body: { $inc: { balance: -3 } },
    });
    expect(patched.json['value']).toEqual({ id: '1', owner: 'bob', balance: -3 });
    const deleted = await api.call('DELETE', '/v1/resources/account/1');
    expect([deleted.status, deleted.json['value']]).toEqual([200, null]);
    const gone = await api.call('DELETE', '/v1/resources/account/1');
    expect([gone.status, gone.json['code']]).toEqual([404, 'NOT_FOUND']);
  });

  it('carries its preconditions to the engine', async () => {
    await api.call('PUT', '/v1/resources/account/2', { body: {} });
    const headers = { 'If-Match': '"1"', 'Idempotency-Key': 'order-77', 'Lockstep-Timeout': '250' };
    const answer = await api.call('PATCH', '/v1/resources/account/2', {
      body: { owner: 'x' },
      headers,
    });
    expect(answer.status).toBe(200);
    expect(api.store.requests.at(-1)).toMatchObject({
      ifMatch: 1,
      waitTimeoutMs: 250,
      idempotency: { key: 'order-77', requestHash: expect.stringMatching(/^[\w-]{43}$/) as string },
    });
    const stale = await api.call('PATCH', '/v1/resources/account/2', {
      body: { owner: 'x' },
      headers: { 'If-Match': '"1"' },
    });
    expect([stale.status, stale.json['code'], stale.json['currentVersion']]).toEqual([
      412,
      'VERSION_MISMATCH',
      2,
    ]);
    const again = await api.call('PUT', '/v1/resources/account/2', {
      body: {},
      headers: { 'If-None-Match': '*' },
    });
    expect(again.json['code']).toBe('VERSION_MISMATCH');
  });

  it('has the same hash however its body is spelled, and another one for anything else', async () => {
    const hashOf = async (raw: string, more: Record<string, string> = {}) => {
      const headers = { 'Idempotency-Key': 'k', ...more };
      await api.call('PUT', '/v1/resources/account/3', { raw, headers });
      return api.store.requests.at(-1)?.idempotency?.requestHash;
    };
    const first = await hashOf('{"owner":"a","balance":1}');
    expect(await hashOf('{ "balance": 1, "id": "3", "owner": "a" }')).toBe(first);
    expect(await hashOf('{"owner":"a","balance":2}')).not.toBe(first);
    expect(await hashOf('{"owner":"a","balance":1}', { 'If-Match': '"1"' })).not.toBe(first);
  });

  it.each([
    ['If-Match', '7'],
    ['If-Match', 'W/"7"'],
    ['If-Match', '"a"'],
    ['If-Match', '"1", "2"'],
    ['If-Match', '*'],
    ['If-None-Match', '"1"'],
    ['Idempotency-Key', ''],
    ['Idempotency-Key', 'two words'],
    ['Idempotency-Key', 'x'.repeat(256)],
    ['Lockstep-Timeout', '0'],
    ['Lockstep-Timeout', '1.5'],
    ['Lockstep-Timeout', '9999999'],
  ])('with a wrong %s (%s) is INVALID and names it', async (name, value) => {
    const before = api.store.requests.length;
    const answer = await api.call('PUT', '/v1/resources/account/4', {
      body: {},
      headers: { [name]: value },
    });
    expect([answer.status, answer.json['code']]).toEqual([422, 'INVALID']);
    expect(answer.json['errors']).toEqual([{ path: name, message: expect.any(String) as string }]);
    expect(api.store.requests).toHaveLength(before);
  });

  it('takes If-Match: * where the row must be there anyway', async () => {
    await api.call('PUT', '/v1/resources/account/5', { body: {} });
    const headers = { 'If-Match': '*' };
    expect(
      (await api.call('PATCH', '/v1/resources/account/5', { body: { owner: 'x' }, headers }))
        .status,
    ).toBe(200);
    expect((await api.call('DELETE', '/v1/resources/account/5', { headers })).status).toBe(200);
  });
});

describe('a key in a path', () => {
  it.each(['a/b', 'a,b', 'a\nb', 'ü%C3', ' ', '?#', '世界'.repeat(300)])(
    'may be %j',
    async (id) => {
      const path = `/v1/resources/note/${encodeURIComponent(id)}`;
      expect((await api.call('PUT', path, { body: { body: 'x' } })).status).toBe(201);
      const read = await api.call('GET', path);
      expect(read.json).toMatchObject({ key: id, value: { id } });
    },
  );

  it('has its parts joined by a bare comma', async () => {
    const answer = await api.call('PUT', '/v1/resources/line/a%2Cb%2Fc,7', { body: { sku: 's' } });
    expect(answer.json['key']).toEqual(['a,b/c', '7']);
  });

  it.each([
    ['/v1/resources/account', 405, 'METHOD_NOT_ALLOWED'],
    ['/v1/resources/account/', 404, 'NOT_FOUND'],
    ['/v1/resources/account/1/2', 404, 'NOT_FOUND'],
    ['/v1/resources/nothing/1', 404, 'UNKNOWN_RESOURCE'],
    ['/v1/resources/__proto__/1', 404, 'UNKNOWN_RESOURCE'],
    ['/v1/resources/account/one', 422, 'INVALID'],
    ['/v1/resources/account/1,2', 422, 'INVALID'],
    ['/v1/resources/account/99999999999', 422, 'INVALID'],
    ['/v1/resources/note/%ff', 422, 'INVALID'],
    ['/v1/resources/note/%', 422, 'INVALID'],
    ['/v1/resources/note/%00', 422, 'INVALID'],
    [`/v1/resources/note/${'x'.repeat(2049)}`, 422, 'INVALID'],
    ['/v1/nothing', 404, 'NOT_FOUND'],
    ['/v1/ops/keys/%E0%A4%A', 404, 'NOT_FOUND'],
  ])('that is wrong is told so: %s', async (path, status, code) => {
    for (const method of ['GET', 'PUT']) {
      const answer = await api.call(method, path, method === 'PUT' ? { body: {} } : {});
      if (!path.startsWith('/v1/ops'))
        expect([answer.status, answer.json['code']]).toEqual([status, code]);
      expect(answer.text).not.toMatch(/\bat .*\.ts|node_modules/);
    }
  });
});

describe('a body', () => {
  const patch = (raw: string | Uint8Array<ArrayBuffer>, headers: Record<string, string> = {}) =>
    api.call('PATCH', '/v1/resources/account/9', { raw, headers });

  it.each([
    ['not JSON', '{"owner":', {}, 400, 'MALFORMED'],
    ['empty', '', { 'Content-Type': 'application/json' }, 400, 'MALFORMED'],
    ['not UTF-8', Uint8Array.from([0x22, 0xff, 0x22]), {}, 400, 'MALFORMED'],
    [
      'of another type',
      'owner=x',
      { 'Content-Type': 'application/x-www-form-urlencoded' },
      415,
      'UNSUPPORTED_MEDIA_TYPE',
    ],
    [
      'of another charset',
      '{}',
      { 'Content-Type': 'application/json; charset=latin1' },
      415,
      'UNSUPPORTED_MEDIA_TYPE',
    ],
    ['compressed', '{}', { 'Content-Encoding': 'gzip' }, 415, 'UNSUPPORTED_MEDIA_TYPE'],
    ['too large', JSON.stringify({ owner: 'x'.repeat(20_000) }), {}, 413, 'TOO_LARGE'],
    ['far too large', 'x'.repeat(1_000_000), {}, 413, 'TOO_LARGE'],
    ['nested too deep', '['.repeat(8000) + ']'.repeat(8000), {}, 422, 'INVALID'],
  ])('that is %s is refused', async (_name, raw, headers, status, code) => {
    const answer = await patch(raw, headers);
    expect([answer.status, answer.json['code'], answer.json['outcome']]).toEqual([
      status,
      code,
      'not_applied',
    ]);
  });

  it.each([
    ['[]', ['body']],
    ['null', ['body']],
    ['{}', ['body']],
    ['{"$inc":{}}', ['body']],
    ['{"ownr":1,"x":2}', ['ownr', 'x']],
    ['{"__proto__":{"owner":"x"}}', ['__proto__']],
    ['{"constructor":1}', ['constructor']],
    ['{"owner":"a\\u0000b"}', ['owner']],
    ['{"owner":"\\ud800"}', ['owner']],
    ['{"balance":"many"}', ['balance']],
    ['{"id":9}', ['id']],
    ['{"$set":{"owner":"x"}}', ['$set']],
    ['{"$inc":5}', ['$inc']],
    ['{"$inc":{"owner":1}}', ['$inc.owner']],
    ['{"$inc":{"id":1}}', ['$inc.id']],
    ['{"$inc":{"balance":1},"balance":2}', ['$inc.balance']],
    ['{"$inc":{"__proto__":1}}', ['$inc.__proto__']],
  ])('%s of a PATCH is INVALID and every wrong field named', async (raw, paths) => {
    const answer = await patch(raw);
    expect([answer.status, answer.json['code']]).toEqual([422, 'INVALID']);
    expect((answer.json['errors'] as { path: string }[]).map(({ path }) => path)).toEqual(paths);
  });

  it.each([
    ['{"id":8}', ['id']],
    ['{"id":null}', ['id']],
    ['{"$inc":{"balance":1}}', ['$inc']],
    ['"text"', ['body']],
  ])('%s of a PUT is INVALID', async (raw, paths) => {
    const answer = await api.call('PUT', '/v1/resources/account/9', { raw });
    expect(answer.status).toBe(422);
    expect((answer.json['errors'] as { path: string }[]).map(({ path }) => path)).toEqual(paths);
  });
});

describe('a read', () => {
  it('answers the row, its version and where it came from', async () => {
    await api.call('PUT', '/v1/resources/account/20', { body: { owner: 'a' } });
    const read = await api.call('GET', '/v1/resources/account/20?consistency=primary&minVersion=1');
    expect(read.json).toEqual({
      resource: 'account',
      key: '20',
      version: 1,
      value: { id: '20', owner: 'a' },
      source: 'cache',
      token: read.headers.get('lockstep-token'),
    });
    expect(api.store.readOptions.at(-1)).toEqual({ consistency: 'primary', minVersion: 1 });
    const unchanged = await api.call('GET', '/v1/resources/account/20', {
      headers: { 'If-None-Match': 'W/"1"' },
    });
    expect([unchanged.status, unchanged.text]).toEqual([304, '']);
    const head = await api.call('HEAD', '/v1/resources/account/20');
    expect([head.status, head.headers.get('etag')]).toEqual([200, '"1"']);
  });

  it.each(['consistency=all', 'minVersion=-1', 'minVersion=x'])(
    'with %s is INVALID',
    async (query) => {
      expect((await api.call('GET', `/v1/resources/account/20?${query}`)).json['code']).toBe(
        'INVALID',
      );
    },
  );
});
