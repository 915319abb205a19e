import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type ApiServer, startApi } from '@lockstep/testkit/doubles/api-server';

/** As `limits.answerBytes` of the test's API. */
const ANSWER_BYTES = 100_000;
const LARGE = 'x'.repeat(10_000);

let api: ApiServer;
beforeEach(async () => {
  api = await startApi();
});
afterEach(() => api.close());

type Result = { status: number; code?: string; outcome?: string; version?: number } & Record<
  string,
  unknown
>;

async function together(
  path: string,
  operations: object[],
): Promise<{ bytes: number; results: Result[] }> {
  const { status, text, json } = await api.call('POST', path, { body: { operations } });
  expect(status, text).toBe(200);
  return { bytes: text.length, results: json['results'] as Result[] };
}

const put = (key: string, body = LARGE): object => ({
  op: 'put',
  resource: 'note',
  key,
  value: { body },
});
const get = (key: string): object => ({ op: 'get', resource: 'note', key });

describe('the answer of a batch', () => {
  it('is bounded however large the rows are that it asks for, and says which did not fit', async () => {
    for (let index = 0; index < 20; index += 1) await together('/v1/batch', [put(`${index}`)]);
    const { bytes, results } = await together(
      '/v1/batch',
      Array.from({ length: 20 }, (_, index) => get(`${index}`)),
    );
    expect(bytes).toBeLessThan(ANSWER_BYTES + 20 * 500);
    const fit = results.filter(({ status }) => status === 200);
    const others = results.filter(({ status }) => status !== 200);
    expect(fit.length).toBeGreaterThan(5);
    expect(others.length).toBeGreaterThan(5);
    for (const result of others) expect(result).toMatchObject({ status: 413, code: 'TOO_LARGE' });
  });

  it('reads a row once that it asks for many times in a row', async () => {
    await together('/v1/batch', [put('a', 'first')]);
    const { results } = await together('/v1/batch', [
      ...Array.from({ length: 8 }, () => get('a')),
      put('a', 'second'),
      ...Array.from({ length: 8 }, () => get('a')),
    ]);
    expect(results.map(({ value }) => (value as { body: string }).body)).toEqual([
      ...Array<string>(8).fill('first'),
      ...Array<string>(9).fill('second'),
    ]);
    expect(api.store.readOptions).toHaveLength(2);
  });

  it.each(['/v1/batch', '/v1/transactions'])(
    'tells what became of every write, whatever of its values fits: %s',
    async (path) => {
      const keys = Array.from({ length: 20 }, (_, index) => `${index}`);
      const line = (key: string): object => ({ resource: 'line', key: [key, 1] });
      for (const key of keys) {
        const value = { sku: 'a', data: { text: LARGE } };
        await together('/v1/batch', [{ op: 'put', ...line(key), value }]);
      }
      const patches = keys.map((key) => ({ op: 'patch', ...line(key), value: { sku: 'b' } }));
      const { bytes, results } = await together(path, patches);
      expect(bytes).toBeLessThan(ANSWER_BYTES + 20 * 500);
      for (const result of results) {
        expect(result).toMatchObject({ status: 200, outcome: 'applied', version: 2 });
        expect('value' in result).toBe(result['valueOmitted'] === undefined);
      }
      expect(results.some(({ valueOmitted }) => valueOmitted === true)).toBe(true);
    },
  );
});

describe('the answer of a single call', () => {
  it('is refused where it could not be sent, and that of a write leaves its value out', async () => {
    await api.close();
    api = await startApi({ limits: { ...api.limits, unsentBytes: 26_384 } });
    const path = '/v1/resources/note/a';
    const written = await api.call('PUT', path, { body: { body: LARGE } });
    expect(written.json).toMatchObject({ version: 1, outcome: 'applied', valueOmitted: true });
    expect(written.json).not.toHaveProperty('value');
    const read = await api.call('GET', path);
    expect([read.status, read.json['code']]).toEqual([413, 'TOO_LARGE']);
    const again = await api.call('PUT', path, { body: { body: LARGE.slice(1_000) } });
    expect(again.json).toHaveProperty('value');
    expect((await api.call('GET', path)).status).toBe(200);
  });
});
