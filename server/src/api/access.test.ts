import { request } from 'node:http';
import { afterEach, describe, expect, it } from 'vitest';
import { createAuthenticator } from './authentication.ts';
import {
  ADMIN_TOKEN,
  type ApiServer,
  SERVICE_TOKEN,
  startApi,
} from '@lockstep/testkit/doubles/api-server';

const servers: ApiServer[] = [];
const start = async (...args: Parameters<typeof startApi>): Promise<ApiServer> => {
  const api = await startApi(...args);
  servers.push(api);
  return api;
};
afterEach(async () => {
  await Promise.all(servers.splice(0).map((api) => api.close()));
});

describe('authentication', () => {
  it('asks for a bearer token', async () => {
    const api = await start();
    for (const authorization of [
      '',
      'Basic abc',
      'Bearer',
      `Bearer ${SERVICE_TOKEN}x`,
      `Bearer ${SERVICE_TOKEN.slice(1)}`,
    ]) {
      const answer = await api.call('GET', '/v1/resources/account/1', {
        token: null,
        headers: { authorization },
      });
      expect([answer.status, answer.json['code']]).toEqual([401, 'UNAUTHENTICATED']);
      expect(answer.headers.get('www-authenticate')).toMatch(/^Bearer/);
    }
    const good = await api.call('GET', '/v1/resources/account/1', {
      token: null,
      headers: { authorization: `bearer  ${SERVICE_TOKEN}` },
    });
    expect(good.json['code']).toBe('NOT_FOUND');
  });

  it('lets the admin do everything and a service nothing of the operators’', async () => {
    const api = await start();
    expect((await api.call('GET', '/v1/ops/session')).json['code']).toBe('FORBIDDEN');
    expect((await api.call('GET', '/v1/ops/session', { token: ADMIN_TOKEN })).status).toBe(200);
    expect(
      (await api.call('PUT', '/v1/resources/account/1', { token: ADMIN_TOKEN, body: {} })).status,
    ).toBe(201);
  });

  it('answers 429 to an address that keeps failing, and still knows good tokens', async () => {
    const api = await start();
    for (let left = 300; left > 0; left--) {
      const answer = await api.call('GET', '/v1/ops/session', { token: 'wrong' });
      expect(answer.status).toBe(401);
    }
    const limited = await api.call('GET', '/v1/ops/session', { token: 'wrong' });
    expect([limited.status, limited.json['code']]).toEqual([429, 'RATE_LIMITED']);
    expect(Number(limited.headers.get('retry-after'))).toBeGreaterThan(0);
    expect((await api.call('GET', '/v1/ops/session', { token: ADMIN_TOKEN })).status).toBe(200);
  });

  it('when off, lets in only callers that name a loopback host', async () => {
    const tokens = { service: SERVICE_TOKEN, admin: ADMIN_TOKEN };
    const api = await start({ auth: createAuthenticator({ mode: 'off', tokens }) });
    expect((await api.call('GET', '/v1/ops/session', { token: null })).status).toBe(200);
    const rebound = await new Promise<number | undefined>((resolve, reject) => {
      const call = request(
        `${api.url}/v1/ops/session`,
        { headers: { host: 'evil.example' } },
        (response) => {
          response.resume();
          resolve(response.statusCode);
        },
      );
      call.on('error', reject);
      call.end();
    });
    expect(rebound).toBe(403);
  });
});

describe('a web page, with tokens off', () => {
  const tokens = { service: SERVICE_TOKEN, admin: ADMIN_TOKEN };
  const origins = ['https://ops.test'];

  it.each(['GET', 'PUT', 'PATCH', 'DELETE', 'POST'])(
    'of another origin has no %s carried out',
    async (method) => {
      const api = await start({ auth: createAuthenticator({ mode: 'off', tokens, origins }) });
      const path = method === 'POST' ? '/v1/batch' : '/v1/resources/account/1';
      const body = method === 'POST' ? { operations: [] } : method === 'GET' ? undefined : {};
      const call = (origin: string) =>
        api.call(method, path, { body, token: null, headers: { origin } });
      for (const origin of ['http://evil.test', 'null', 'http://localhost:1']) {
        expect((await call(origin)).json['code']).toBe('FORBIDDEN');
      }
      expect(api.store.requests).toEqual([]);
      for (const origin of [api.url, 'https://ops.test']) {
        expect((await call(origin)).json['code']).not.toBe('FORBIDDEN');
      }
    },
  );
});

describe('admission', () => {
  it('refuses writes of an instance that stops, and still reads', async () => {
    const api = await start({ draining: () => true });
    const write = await api.call('PUT', '/v1/resources/account/1', { body: {} });
    expect([write.status, write.json['code'], write.json['retryable']]).toEqual([
      503,
      'SHUTTING_DOWN',
      true,
    ]);
    expect(write.headers.get('retry-after')).toBe('1');
    expect((await api.call('GET', '/v1/resources/account/1')).status).toBe(404);
    expect((await api.call('GET', '/readyz', { token: null })).status).toBe(503);
    expect((await api.call('GET', '/livez', { token: null })).status).toBe(200);
  });

  it('refuses writes over the bound at once (W12)', async () => {
    const api = await start();
    let open = (): void => undefined;
    const gate = new Promise<void>((resolve) => (open = resolve));
    api.store.before = () => gate;
    // Three quarters of the bound: the rest is left for callers from elsewhere.
    const waiting = Array.from({ length: 37 }, (_, id) =>
      api.call('PUT', `/v1/resources/account/${id}`, { body: {} }),
    );
    await expect.poll(() => api.store.requests.length).toBe(37);
    const refused = await api.call('PUT', '/v1/resources/account/99', { body: {} });
    expect([refused.status, refused.json['code'], refused.json['outcome']]).toEqual([
      429,
      'RATE_LIMITED',
      'not_applied',
    ]);
    open();
    expect((await Promise.all(waiting)).map(({ status }) => status)).toEqual(
      Array<number>(37).fill(201),
    );
    expect((await api.call('PUT', '/v1/resources/account/99', { body: {} })).status).toBe(201);
  });
});

describe('a defect', () => {
  it('is answered as INTERNAL under its request id, with the stack in the log alone', async () => {
    const api = await start();
    api.store.before = () => Promise.reject(new TypeError('secret detail'));
    const answer = await api.call('PUT', '/v1/resources/account/1', {
      body: {},
      headers: { 'X-Request-Id': 'r-9' },
    });
    expect([answer.status, answer.json['code']]).toEqual([500, 'INTERNAL']);
    expect(answer.text).not.toContain('secret');
    expect(api.logged).toMatchObject([
      { fields: { requestId: 'r-9', err: { message: 'secret detail' } } },
    ]);
  });
});
