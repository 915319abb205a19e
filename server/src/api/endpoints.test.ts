import { ERROR_CODES } from '@lockstep/shared';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { groupByPath } from './endpoint.ts';
import { ENDPOINTS } from './endpoints.ts';
import { ADMIN_TOKEN, type ApiServer, startApi } from '@lockstep/testkit/doubles/api-server';

let api: ApiServer;
beforeAll(async () => {
  api = await startApi();
});
afterAll(() => api.close());

const PATHS = groupByPath(ENDPOINTS);
const addressOf = (path: string): string =>
  path.replace('{resource}', 'account').replace('{key}', '1').replace('{id}', 'x');

describe('the table of endpoints', () => {
  it.each(PATHS.map((each) => [each.path, each] as const))(
    'answers a method that %s does not have with those that it has',
    async (path, { allow, byMethod }) => {
      for (const method of ['GET', 'PUT', 'PATCH', 'POST', 'DELETE']) {
        if (byMethod.has(method)) continue;
        const answer = await api.call(method, addressOf(path), { token: ADMIN_TOKEN });
        expect([answer.status, answer.json['code']]).toEqual([405, 'METHOD_NOT_ALLOWED']);
        expect(answer.headers.get('allow')).toContain(allow);
      }
    },
  );
});

describe('the API document', () => {
  type Operation = { responses: Record<string, { description: string }> };
  let paths: Record<string, Record<string, Operation>> = {};
  beforeAll(async () => {
    const { json } = await api.call('GET', '/openapi.json', { token: null });
    paths = json['paths'] as typeof paths;
  });

  it('has every endpoint of the table and no other', () => {
    const documented = Object.entries(paths).flatMap(([path, methods]) =>
      Object.keys(methods).map((method) => `${method.toUpperCase()} ${path}`),
    );
    const declared = ENDPOINTS.map(({ method, path }) => `${method} ${path}`);
    expect(documented.toSorted()).toEqual(declared.toSorted());
  });

  it('has every error code where a call can answer it', () => {
    const codesOf = (operation: Operation | undefined, status: number): string =>
      operation?.responses[status]?.description ?? '';
    const operations = Object.values(paths).flatMap((methods) => Object.values(methods));
    for (const [code, { status }] of Object.entries(ERROR_CODES)) {
      expect(
        operations.some((each) => codesOf(each, status).includes(code)),
        code,
      ).toBe(true);
    }
    const { put, get } = paths['/v1/resources/{resource}/{key}'] ?? {};
    expect(codesOf(put, 403)).toBe(
      'FORBIDDEN, FORBIDDEN_BY_DATABASE. Needs the scope write for the resource, and for the key where it names one.',
    );
    expect(codesOf(paths['/v1/ops/sweeps']?.['post'], 403)).toMatch(
      /Needs the role operator, or the scope operate for the resource/,
    );
    expect(codesOf(put, 421)).toBe('MISDIRECTED');
    expect(codesOf(put, 413)).toBe('TOO_LARGE');
    expect(codesOf(get, 413)).toBe('TOO_LARGE');
    expect(codesOf(put, 415)).toBe('UNSUPPORTED_MEDIA_TYPE');
    const audits = paths['/v1/ops/audits']?.['post'];
    expect(codesOf(audits, 404)).toBe('UNKNOWN_RESOURCE');
    expect(codesOf(audits, 405)).toBe('METHOD_NOT_ALLOWED');
    expect(codesOf(audits, 422)).toBe('INVALID');
    expect(codesOf(audits, 503)).toBe('DATABASE_UNAVAILABLE, CACHE_UNAVAILABLE');
  });
});
