import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type ApiServer, type Called, startApi } from '@lockstep/testkit/doubles/api-server';

let api: ApiServer;
beforeAll(async () => {
  api = await startApi();
});
afterAll(() => api.close());

const whereText = (where: unknown): string => `?where=${encodeURIComponent(JSON.stringify(where))}`;
const change = (
  method: 'PATCH' | 'DELETE',
  where: unknown,
  rest: { body?: unknown; headers?: Record<string, string> } = {},
  resource = 'account',
): Promise<Called> => api.call(method, `/v1/resources/${resource}${whereText(where)}`, rest);

describe('a set over HTTP', () => {
  it('asks for a change of all rows that match, within the bound', async () => {
    const headers = { 'Idempotency-Key': 'a-set', 'Lockstep-Timeout': '250' };
    const body = { owner: 'bea', $inc: { balance: -5 } };
    const answer = await change('PATCH', { owner: 'ann' }, { body, headers });
    expect(answer).toMatchObject({
      status: 200,
      json: { outcome: 'applied', affected: 0, keys: [], versions: [], cache: 'none' },
    });
    expect(answer.headers.get('lockstep-token')).toBe(answer.json['token']);
    expect(api.store.sets.at(-1)).toMatchObject({
      where: [{ column: { name: 'owner' }, is: '$eq', value: 'ann' }],
      change: { op: 'patch', set: { owner: 'bea' }, increment: { balance: '-5' } },
      ...{ most: api.limits.transactionOperations, waitTimeoutMs: 250 },
      idempotency: { key: 'a-set' },
    });
    await change('DELETE', { balance: { $lt: 0 } });
    expect(api.store.sets.at(-1)).toMatchObject({ change: { op: 'delete' } });
  });

  it('means another request with another filter', async () => {
    const headers = { 'Idempotency-Key': 'hashes' };
    const hashes: (string | undefined)[] = [];
    for (const where of [{ balance: 1 }, { balance: 2 }, { balance: { $ne: 1 } }, { balance: 1 }]) {
      await change('DELETE', where, { headers });
      hashes.push(api.store.sets.at(-1)?.idempotency?.requestHash);
    }
    expect(new Set(hashes).size).toBe(3);
    expect(hashes[3]).toBe(hashes[0]);
  });

  it.each([
    ['PATCH', '', 'where'],
    ['DELETE', '', 'where'],
    ['DELETE', '?where=', 'where'],
    ['DELETE', '?where=%7B%7D', 'where'],
    ['PATCH', '?where=owner%3Dann', 'where'],
    ['DELETE', '?where=%7B%22id%22%3A1%7D&where=%7B%22id%22%3A2%7D', 'where'],
    ['DELETE', '?filter=%7B%22id%22%3A1%7D', 'filter'],
  ] as const)(
    'W25: refuses %s with %j: nobody changes a whole table by accident',
    async (method, query, path) => {
      const before = api.store.sets.length;
      const body = method === 'PATCH' ? { body: { owner: 'x' } } : {};
      const answer = await api.call(method, `/v1/resources/account${query}`, body);
      expect(answer).toMatchObject({ status: 422, json: { code: 'INVALID' } });
      const errors = answer.json['errors'] as { path: string }[];
      expect(errors.map((each) => each.path)).toContain(path);
      expect(api.store.sets).toHaveLength(before);
    },
  );

  it.each([
    [{ owner: 'ann' }, { id: 5 }, {}, 'id'],
    [{ owner: 'ann' }, { balance: 'many' }, {}, 'balance'],
    [{ owner: 'ann' }, {}, {}, 'body'],
    [{ owner: 5 }, { owner: 'x' }, {}, 'where.owner'],
    [{ hidden: 5 }, { owner: 'x' }, {}, 'where.hidden'],
    [{ owner: 'ann' }, { owner: 'x' }, { 'If-Match': '"1"' }, 'If-Match'],
    [{ owner: 'ann' }, { owner: 'x' }, { 'Lockstep-Lease': 'here~x' }, 'Lockstep-Lease'],
  ])('refuses %j with the change %j and %j, and names it', async (where, body, headers, path) => {
    const answer = await change('PATCH', where, { body, headers });
    expect(answer).toMatchObject({ status: 422, json: { code: 'INVALID' } });
    const errors = answer.json['errors'] as { path: string }[];
    expect(errors.map((each) => each.path)).toContain(path);
  });

  it('knows no other resource', async () => {
    const answer = await change('DELETE', { id: 1 }, {}, 'nothing');
    expect(answer).toMatchObject({ status: 404, json: { code: 'UNKNOWN_RESOURCE' } });
  });
});
