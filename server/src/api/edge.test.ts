import { connect } from 'node:net';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type ApiServer, SERVICE_TOKEN, startApi } from '@lockstep/testkit/doubles/api-server';

let api: ApiServer;
beforeAll(async () => {
  api = await startApi();
});
afterAll(() => api.close());

describe('the edge', () => {
  it('names the methods that a path takes', async () => {
    const answer = await api.call('POST', '/v1/resources/account/1', { body: {} });
    expect([answer.status, answer.json['code']]).toEqual([405, 'METHOD_NOT_ALLOWED']);
    expect(answer.headers.get('allow')).toContain('PATCH');
    expect((await api.call('GET', '/v1/batch')).headers.get('allow')).toBe('POST');
    expect((await api.call('OPTIONS', '/v1/resources/account/1')).status).toBe(204);
  });

  it('echoes a sane request id and makes one otherwise', async () => {
    const given = await api.call('GET', '/v1/resources/x/1', {
      headers: { 'X-Request-Id': 'abc-1' },
    });
    expect([given.headers.get('x-request-id'), given.json['requestId']]).toEqual([
      'abc-1',
      'abc-1',
    ]);
    const odd = await api.call('GET', '/v1/resources/x/1', { headers: { 'X-Request-Id': 'a b' } });
    expect(odd.json['requestId']).toMatch(/^[\w-]{16}-\w+$/);
  });

  it('answers errors as problem documents', async () => {
    const answer = await api.call('GET', '/v1/resources/x/1');
    expect(answer.headers.get('content-type')).toMatch(/^application\/problem\+json/);
    expect(answer.json).toEqual({
      type: '/docs#problem-unknown-resource',
      title: 'No such resource is configured',
      status: 404,
      detail: expect.any(String) as string,
      code: 'UNKNOWN_RESOURCE',
      outcome: 'not_applied',
      retryable: false,
      requestId: expect.any(String) as string,
    });
  });

  it('carries a write out although its caller has gone', async () => {
    const server = await startApi();
    let go = (): void => undefined;
    const gate = new Promise<void>((resolve) => (go = resolve));
    server.store.before = () => gate;
    const socket = connect(server.port, '127.0.0.1');
    socket.write(
      `PUT /v1/resources/account/1 HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${SERVICE_TOKEN}\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}`,
    );
    await expect.poll(() => server.store.requests.length).toBe(1);
    socket.destroy();
    go();
    await expect.poll(() => server.store.rows.size).toBe(1);
    await server.close();
  });
});
