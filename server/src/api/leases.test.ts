import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type ApiServer, type Called, startApi } from '@lockstep/testkit/doubles/api-server';

let api: ApiServer;
beforeAll(async () => {
  api = await startApi();
});
afterAll(() => api.close());

let lastKey = 0;
const grant = (body: object = {}, headers = {}): Promise<Called> =>
  api.call('POST', '/v1/leases', {
    body: { resource: 'account', key: ++lastKey, ttl: '30s', ...body },
    headers,
  });

describe('a lease', () => {
  it('is granted with its fence and when it ends', async () => {
    const answer = await grant();
    expect(answer.status).toBe(201);
    const { id, fence, expiresAt } = answer.json as Record<string, string>;
    expect(answer.headers.get('location')).toBe(`/v1/leases/${id}`);
    expect(fence).toEqual(expect.any(Number));
    const lastsMs = Date.parse(expiresAt ?? '') - Date.now();
    expect(lastsMs).toBeGreaterThan(25_000);
    expect(lastsMs).toBeLessThanOrEqual(30_000);
  });

  it('is extended, keeps its fence, and is released once', async () => {
    const { id, fence } = (await grant()).json;
    const extended = await api.call('PATCH', `/v1/leases/${String(id)}`, { body: { ttl: 60_000 } });
    expect(extended).toMatchObject({ status: 200, json: { id, fence } });
    const released = await api.call('DELETE', `/v1/leases/${String(id)}`);
    expect(released).toMatchObject({ status: 200, json: { id, released: true } });
    const again = await api.call('DELETE', `/v1/leases/${String(id)}`);
    expect(again).toMatchObject({ status: 404, json: { code: 'UNKNOWN_LEASE' } });
    const late = await api.call('PATCH', `/v1/leases/${String(id)}`, { body: { ttl: 1_000 } });
    expect(late).toMatchObject({ status: 404, json: { code: 'UNKNOWN_LEASE' } });
  });

  it('invalidates its key before it is released, where that is asked for', async () => {
    const { id } = (await grant()).json;
    const answer = await api.call('DELETE', `/v1/leases/${String(id)}`, {
      body: { invalidate: true },
    });
    expect(answer).toMatchObject({ status: 200, json: { cache: 'invalidated' } });
    expect(api.store.invalidated).toContain(`account:${lastKey}`);
  });

  it('makes the next holder of its key wait', async () => {
    const { id } = (await grant()).json;
    const second = await grant({ key: lastKey }, { 'Lockstep-Timeout': '30' });
    expect(second).toMatchObject({ status: 503, json: { code: 'LOCK_TIMEOUT' } });
    await api.call('DELETE', `/v1/leases/${String(id)}`);
    expect((await grant({ key: lastKey - 1 })).status).toBe(201);
  });

  it('goes with a write, in its header or in a batch', async () => {
    const put = { body: { owner: 'ann' }, headers: { 'Lockstep-Lease': 'here~x' } };
    await api.call('PUT', '/v1/resources/account/77', put);
    expect(api.store.requests.at(-1)).toMatchObject({ leaseId: 'here~x' });
    const operation = { op: 'delete', resource: 'account', key: 77, lease: 'here~y' };
    await api.call('POST', '/v1/batch', { body: { operations: [operation] } });
    expect(api.store.requests.at(-1)).toMatchObject({ leaseId: 'here~y' });
  });

  it('of another instance is named as that', async () => {
    const answer = await api.call('PATCH', '/v1/leases/other.host-12~secret', {
      body: { ttl: 1_000 },
    });
    expect(answer).toMatchObject({ status: 404, json: { code: 'UNKNOWN_LEASE' } });
    expect(answer.json['detail']).toContain('other.host-12');
  });

  it.each([
    [{ ttl: 5 }, 'ttl'],
    [{ ttl: '2h' }, 'ttl'],
    [{ ttl: undefined }, 'ttl'],
    [{ ttl: 'soon' }, 'ttl'],
    [{ key: {} }, 'key'],
    [{ forever: true }, 'forever'],
  ])('asked for with %j is INVALID', async (body, path) => {
    const answer = await grant(body);
    expect(answer).toMatchObject({ status: 422, json: { errors: [{ path }] } });
  });

  it('of an unknown resource, or by another method, is refused', async () => {
    expect((await grant({ resource: 'nothing' })).json['code']).toBe('UNKNOWN_RESOURCE');
    const answer = await api.call('GET', '/v1/leases/here~x');
    expect(answer.status).toBe(405);
    expect(answer.headers.get('allow')).toBe('PATCH, DELETE');
    expect((await api.call('DELETE', '/v1/leases/a%20b')).json['code']).toBe('UNKNOWN_LEASE');
  });
});
