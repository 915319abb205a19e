import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ENDPOINTS } from './endpoints.ts';
import { ADMIN_TOKEN, type ApiServer, startApi } from '@lockstep/testkit/doubles/api-server';
import { stubOps } from '@lockstep/testkit/doubles/stub-ops';

const asked: unknown[] = [];
let api: ApiServer;
beforeAll(async () => {
  api = await startApi({ ops: stubOps(asked) });
});
afterAll(() => api.close());

const get = (path: string) => api.call('GET', `/v1/ops${path}`, { token: ADMIN_TOKEN });
const post = (path: string, body: unknown) =>
  api.call('POST', `/v1/ops${path}`, { token: ADMIN_TOKEN, body });

describe('the operators’ API', () => {
  it('lists resources', async () => {
    const { json } = await get('/resources');
    expect(json['resources']).toContainEqual({
      resource: 'line',
      table: 'accounts',
      key: ['order', 'n'],
      policy: 'delete-after-write',
      format: 'entry',
      rollout: 'own',
      cacheKey: 'line:{order}:{n}',
      ttlMs: 600_000,
      audit: null,
    });
  });

  it('runs an audit, repairing only when asked to', async () => {
    expect((await post('/audits', { resource: 'account', sample: 10 })).json).toMatchObject({
      sampled: 10,
    });
    expect(asked.at(-1)).toEqual({
      resource: 'account',
      trigger: 'demand',
      sample: 10,
      repair: 'report',
    });
    await post('/audits', { resource: 'account', repair: true });
    expect(asked.at(-1)).toEqual({ resource: 'account', trigger: 'demand', repair: 'refresh' });
  });

  it('passes filters on', async () => {
    expect((await get('/audits?limit=7')).json).toEqual({ runs: [] });
    expect(asked.at(-1)).toEqual({ limit: 7 });
    await get('/findings?resource=account&class=stale&status=open&run=r1&before=9');
    expect(asked.at(-1)).toEqual({
      resource: 'account',
      class: 'stale',
      status: 'open',
      run: 'r1',
      before: '9',
      limit: 50,
    });
  });

  it('repairs a finding and settles dead letters', async () => {
    expect((await post('/findings/f1/repair', { rule: 'delete' })).json).toMatchObject({
      id: 'f1',
      repair: { rule: 'delete' },
    });
    expect((await post('/findings/f2/repair', { rule: 'delete' })).status).toBe(404);
    expect((await get('/outbox/dead')).json).toEqual({ deadLetters: [] });
    expect((await post('/outbox/dead/d1', { action: 'retry' })).json).toEqual({
      id: 'd1',
      action: 'retry',
    });
    expect((await post('/outbox/dead/d2', { action: 'discard' })).json['code']).toBe('NOT_FOUND');
  });

  it('inspects a key whose parts are still encoded', async () => {
    expect((await get('/keys/line/a%2Cb%2Fc,7?x=/y')).json).toEqual({
      resource: 'line',
      key: 'a%2Cb/c,7',
    });
  });

  it('makes drift where the demo runs', async () => {
    expect(
      (await post('/demo/drift', { resource: 'account', count: 2 })).json['made'],
    ).toHaveLength(2);
    const without = await startApi({ ops: { ...stubOps(), demo: null } });
    const answer = await without.call('POST', '/v1/ops/demo/drift', {
      token: ADMIN_TOKEN,
      body: { resource: 'account', count: 2 },
    });
    expect(answer.json['code']).toBe('NOT_FOUND');
    await without.close();
  });

  it.each([
    ['POST', '/audits', { resource: 'account', smaple: 1 }, 422, 'smaple'],
    ['POST', '/audits', { resource: 'account', sample: 0 }, 422, 'sample'],
    ['POST', '/audits', [], 422, 'body'],
    ['POST', '/demo/drift', { resource: 'account', count: 101 }, 422, 'count'],
    ['GET', '/findings?class=odd', undefined, 422, 'class'],
    ['GET', '/findings?limit=x', undefined, 422, 'limit'],
    ['GET', '/audits?limit=9999', undefined, 422, 'limit'],
  ])('names a wrong field: %s %s', async (method, path, body, status, field) => {
    const answer = await api.call(method, `/v1/ops${path}`, {
      token: ADMIN_TOKEN,
      ...(body === undefined ? {} : { body }),
    });
    expect(answer.status).toBe(status);
    expect(answer.json['errors']).toMatchObject([{ path: field }]);
  });

  it.each([
    ['GET', '/session', undefined],
    ['GET', '/resources', undefined],
    ['GET', '/audits', undefined],
    ['POST', '/audits', { resource: 'account' }],
    ['POST', '/reload', undefined],
    ['GET', '/refreshes', undefined],
    ['POST', '/sweeps', {}],
    ['GET', '/findings', undefined],
    ['POST', '/findings/{id}/repair', { rule: 'delete' }],
    ['GET', '/outbox/dead', undefined],
    ['POST', '/outbox/dead/{id}', { action: 'retry' }],
    ['POST', '/demo/drift', { resource: 'account', count: 2 }],
  ])('answers as the API document says: %s %s', async (method, path, body) => {
    const row = ENDPOINTS.find((one) => one.method === method && one.path === `/v1/ops${path}`);
    const id = path.startsWith('/findings') ? 'f1' : 'd1';
    const { status, json } = await api.call(method, `/v1/ops${path.replace('{id}', id)}`, {
      token: ADMIN_TOKEN,
      ...(body === undefined ? {} : { body }),
    });
    expect(row?.answers[status]?.schema?.safeParse(json).error).toBeUndefined();
    expect(status).toBe(200);
  });

  it('knows its methods and paths', async () => {
    const answer = await api.call('DELETE', '/v1/ops/audits', { token: ADMIN_TOKEN });
    expect([answer.status, answer.headers.get('allow')]).toEqual([405, 'GET, HEAD, POST']);
    expect((await get('/nothing')).json['code']).toBe('NOT_FOUND');
    expect((await get('/keys/account/%E0%A4%A')).json['code']).toMatch(/MALFORMED|INVALID/);
  });
});
