import { afterEach, describe, expect, it } from 'vitest';
import {
  endNodes,
  startHere,
  startLonely,
  startPair,
  startRefusing,
  startSaying,
  startSilent,
} from '@lockstep/testkit/doubles/routed-nodes';
import { ADMIN_TOKEN, SERVICE_TOKEN } from '@lockstep/testkit/doubles/api-server';

afterEach(endNodes);

const PUT = { body: { owner: 'ann' } };
const PATH = '/v1/resources/account/1';

describe('a lease shown elsewhere', () => {
  it.each(['serve', 'forward'] as const)(
    'is used, extended and released at the instance that granted it, in mode %s (H7)',
    async (mode) => {
      const { here, there } = await startPair({ mode });
      const write = { ...PUT, headers: { 'Lockstep-Lease': 'there~x' } };
      const answer = await here.call('PUT', PATH, write);
      expect(answer.headers.get('lockstep-instance')).toBe('there');
      expect(there.store.requests).toMatchObject([{ leaseId: 'there~x' }]);
      const granted = await there.call('POST', '/v1/leases', {
        body: { resource: 'account', key: 5, ttl: '30s' },
      });
      const id = String(granted.json['id']).replace(/^.*~/, 'there~');
      const released = await here.call('DELETE', `/v1/leases/${id}`);
      expect(released.headers.get('lockstep-instance')).toBe('there');
    },
  );

  it('of an instance that is no member is unknown (H7)', async () => {
    const { here } = await startPair();
    const answer = await here.call('DELETE', '/v1/leases/gone~x');
    expect(answer.json).toMatchObject({ code: 'UNKNOWN_LEASE', outcome: 'not_applied' });
    expect(answer.headers.get('lockstep-instance')).toBe('here');
  });

  it('whose instance takes no connection is not applied, and not forgotten (H7)', async () => {
    const url = await startRefusing();
    const { api: here } = await startHere(() => url, { mode: 'serve' });
    const headers = { 'Lockstep-Lease': 'there~x', 'Idempotency-Key': 'k' };
    const answer = await here.call('PUT', PATH, { ...PUT, headers });
    expect(answer.json).toMatchObject({ code: 'LOCK_TIMEOUT', outcome: 'not_applied' });
    expect(here.store.requests).toHaveLength(0);
  });

  it('while nobody knows the members is refused as for now (H7)', async () => {
    const api = await startLonely();
    const headers = { 'Lockstep-Lease': 'there~x' };
    const answer = await api.call('PUT', PATH, { ...PUT, headers });
    expect(answer.json).toMatchObject({ code: 'DATABASE_UNAVAILABLE', outcome: 'not_applied' });
  });
});

describe('a member of the database’s table that is not listed', () => {
  it.each(['serve', 'forward'] as const)(
    'gets nothing of any call, nor is it named, in mode %s (H10)',
    async (mode) => {
      const stranger = await startSilent();
      const { api } = await startHere(() => stranger.url, { mode, listed: { has: () => false } });
      const headers = { 'Lockstep-Lease': 'there~x' };
      for (const token of [SERVICE_TOKEN, ADMIN_TOKEN]) {
        const write = await api.call('PUT', PATH, { ...PUT, headers, token });
        expect(write.headers.get('lockstep-home')).toBeNull();
        expect((await api.call('PUT', PATH, { ...PUT, token })).status).toBeLessThan(300);
        expect((await api.call('GET', PATH, { token })).status).toBe(200);
      }
      const released = await api.call('DELETE', '/v1/leases/there~x');
      expect(released.json['code']).toBe('UNKNOWN_LEASE');
      expect((await api.call('GET', '/v1/routing')).json['members']).toHaveLength(1);
      expect(stranger.received()).toBe('');
    },
  );
});

describe('an answer of what listens at a member’s address', () => {
  const JSON_TYPE = 'Content-Type: application/json';
  it.each([
    ['HTTP/1.1 200 OK', 'Content-Type: text/html', '<script>alert(1)</script>'],
    ['HTTP/1.1 200 OK', 'Content-Type: image/svg+xml', '<svg/>'],
    ['HTTP/1.1 302 Found', JSON_TYPE, '{}'],
    ['HTTP/1.1 299 Odd', JSON_TYPE, '{}'],
    ['HTTP/1.1 502 Bad Gateway', JSON_TYPE, '{}'],
  ])('such as %s with %s is not passed on (H10)', async (statusLine, type, body) => {
    const url = await startSaying([statusLine, type, 'Lockstep-Instance: there'], body);
    const { api } = await startHere(() => url);
    const headers = { 'Idempotency-Key': 'k' };
    const answer = await api.call('PUT', PATH, { ...PUT, headers });
    expect(answer.headers.get('lockstep-instance')).toBe('here');
    expect(answer.status).toBe(201);
    const leased = { 'Lockstep-Lease': 'there~x' };
    const lost = await api.call('PUT', PATH, { ...PUT, headers: leased });
    expect(lost.json['code']).toBe('OUTCOME_UNKNOWN');
  });

  it('brings the headers of Lockstep’s answers and no others (H10)', async () => {
    const odd = ['Set-Cookie: a=b', 'Content-Security-Policy: x', 'Access-Control-Allow-Origin: *'];
    const lines = ['HTTP/1.1 200 OK', JSON_TYPE, 'Lockstep-Instance: there', 'ETag: "7"', ...odd];
    const url = await startSaying(lines, '{}');
    const { api } = await startHere(() => url);
    const { status, headers } = await api.call('PUT', PATH, PUT);
    expect([status, headers.get('etag'), headers.get('lockstep-instance')]).toEqual([
      200,
      '"7"',
      'there',
    ]);
    for (const line of odd) expect(headers.get(line.split(':')[0] ?? '')).toBeNull();
  });
});

describe('where keys are at home', () => {
  it('is told with the members, and by every answer that another one could have given (H3)', async () => {
    const { here, there } = await startPair({ mode: 'serve' });
    const put = await here.call('PUT', PATH, PUT);
    expect(put.headers.get('lockstep-instance')).toBe('here');
    expect(put.headers.get('lockstep-home')).toBe(there.url);
    const { json } = await here.call('GET', '/v1/routing');
    expect(json).toMatchObject({
      ...{ instance: 'here', mode: 'serve' },
      members: [
        { instance: 'here', self: true, leaving: true },
        { instance: 'there', self: false, leaving: false, url: there.url, seenAgoMs: 0 },
      ],
    });
    const home = await here.call('GET', '/v1/routing/line/a%2Fb,7');
    expect(home.json).toEqual({
      ...{ resource: 'line', key: ['a/b', '7'], self: false },
      home: { instance: 'there', url: there.url },
    });
    expect((await there.call('GET', '/v1/routing/account/1')).json).toMatchObject({ self: true });
  });

  it('is refused for what is no key, no resource, no method, and to nobody', async () => {
    const { here } = await startPair();
    expect((await here.call('GET', '/v1/routing/account/x')).status).toBe(422);
    expect((await here.call('GET', '/v1/routing/nothing/1')).json['code']).toBe('UNKNOWN_RESOURCE');
    expect((await here.call('GET', '/v1/routing/account')).status).toBe(404);
    expect((await here.call('POST', '/v1/routing')).headers.get('allow')).toBe('GET, HEAD');
    expect((await here.call('GET', '/v1/routing', { token: null })).status).toBe(401);
  });

  it('is nowhere while the database does not tell, and everything is served (H4)', async () => {
    const api = await startLonely({ mode: 'forward' });
    expect((await api.call('GET', '/v1/routing/account/1')).json).toMatchObject({
      ...{ home: null, self: false },
    });
    const put = await api.call('PUT', PATH, PUT);
    expect(put.status).toBe(201);
    expect(put.headers.get('lockstep-home')).toBeNull();
  });
});
