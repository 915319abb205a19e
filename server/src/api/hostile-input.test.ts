import { request } from 'node:http';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ADMIN_TOKEN, type ApiServer, startApi } from '@lockstep/testkit/doubles/api-server';

let api: ApiServer;
beforeAll(async () => {
  api = await startApi();
});
afterAll(() => api.close());

interface Raw {
  status: number;
  text: string;
}

/** Sends the very path and bytes, as no polite client would. */
function send(
  method: string,
  path: string,
  body: Uint8Array | string,
  headers: Record<string, string> = {},
): Promise<Raw> {
  return new Promise((resolve, reject) => {
    const options = { method, path, host: '127.0.0.1', port: api.port };
    const all = {
      authorization: `Bearer ${ADMIN_TOKEN}`,
      'content-type': 'application/json',
      ...headers,
    };
    const call = request({ ...options, headers: all }, (response) => {
      let text = '';
      response.setEncoding('utf8');
      response.on('data', (chunk: string) => (text += chunk));
      response.on('end', () => resolve({ status: response.statusCode ?? 0, text }));
    });
    call.on('error', reject);
    call.end(body);
  });
}

function expectOrderly({ status, text }: Raw): void {
  expect(status).toBeGreaterThanOrEqual(200);
  expect(status).toBeLessThan(500);
  expect(text).not.toMatch(/\n\s+at |node_modules|\.ts:\d/);
  if (status >= 400 && text !== '')
    expect(JSON.parse(text)).toMatchObject({ status, code: expect.any(String) as string });
}

const method = fc.constantFrom('GET', 'PUT', 'PATCH', 'DELETE', 'POST', 'OPTIONS');
const resource = fc.constantFrom('account', 'note', 'line', 'nothing', '__proto__');
const visible = fc.string({
  unit: fc.integer({ min: 0x21, max: 0x7e }).map((code) => String.fromCharCode(code)),
  maxLength: 60,
});
const anyKey = fc.oneof(
  fc
    .string({ unit: 'binary', maxLength: 60 })
    .map((text) => encodeURIComponent(text.toWellFormed())),
  visible,
);

describe('hostile input is answered in an orderly way', () => {
  it('in the path', async () => {
    await fc.assert(
      fc.asyncProperty(method, resource, anyKey, async (verb, name, key) => {
        expectOrderly(await send(verb, `/v1/resources/${name}/${key}`, verb === 'GET' ? '' : '{}'));
      }),
      { numRuns: 200 },
    );
  });

  it.each(['//#', '//#@!', 'http://', '//?#', '///', '*', '//@', '/%', '/\\'])(
    'in a target in which no path may be found: %s',
    async (target) => {
      for (const verb of ['GET', 'POST', 'PUT', 'OPTIONS'])
        expectOrderly(await send(verb, target, '', { accept: 'application/json' }));
    },
  );

  it('in any path at all', async () => {
    await fc.assert(
      fc.asyncProperty(fc.constantFrom('GET', 'POST'), visible, async (verb, path) => {
        expectOrderly(await send(verb, `/v1/ops/keys/${path}`, ''));
        expectOrderly(await send(verb, `/${path}`, '', { accept: 'application/json' }));
      }),
      { numRuns: 100 },
    );
  });

  it('in bodies of any JSON', async () => {
    const name = fc.constantFrom(
      'id',
      'owner',
      'balance',
      'order',
      'n',
      'sku',
      'data',
      '$inc',
      '__proto__',
      'operations',
      'keys',
      'cacheKeys',
    );
    const body = fc.oneof(
      fc.json(),
      fc.dictionary(name, fc.jsonValue()).map((value) => JSON.stringify(value)),
    );
    const path = fc.constantFrom(
      '/v1/resources/account/1',
      '/v1/resources/line/a,1',
      '/v1/batch',
      '/v1/invalidations',
      '/v1/ops/audits',
    );
    await fc.assert(
      fc.asyncProperty(
        fc.constantFrom('PUT', 'PATCH', 'POST'),
        path,
        body,
        async (verb, target, text) => {
          expectOrderly(await send(verb, target, text, { 'idempotency-key': 'k' }));
        },
      ),
      { numRuns: 300 },
    );
  });

  it('in bodies of any bytes', async () => {
    await fc.assert(
      fc.asyncProperty(fc.uint8Array({ maxLength: 200 }), async (bytes) => {
        expectOrderly(await send('PUT', '/v1/resources/account/1', bytes));
      }),
      { numRuns: 100 },
    );
  });

  it('in batches of odd operations', async () => {
    const operation = fc.record(
      {
        op: fc.constantFrom('put', 'patch', 'delete', 'get', 'x', 1),
        resource: fc.constantFrom('account', 'line', 'x', null),
        key: fc.jsonValue({ maxDepth: 2 }),
        value: fc.jsonValue({ maxDepth: 3 }),
        ifMatch: fc.jsonValue({ maxDepth: 1 }),
        idempotencyKey: fc.jsonValue({ maxDepth: 1 }),
      },
      { requiredKeys: ['op'] },
    );
    await fc.assert(
      fc.asyncProperty(fc.array(operation, { maxLength: 5 }), async (operations) => {
        const answer = await send('POST', '/v1/batch', JSON.stringify({ operations }));
        expectOrderly(answer);
        const { results } = JSON.parse(answer.text) as { results: { status: number }[] };
        expect(results).toHaveLength(operations.length);
        for (const { status } of results) expect(status).toBeLessThan(500);
      }),
      { numRuns: 100 },
    );
  });

  it('in headers', async () => {
    const header = fc.constantFrom(
      'if-match',
      'if-none-match',
      'idempotency-key',
      'lockstep-timeout',
      'x-request-id',
      'content-type',
      'content-encoding',
      'lockstep-lease',
    );
    await fc.assert(
      fc.asyncProperty(header, visible, async (name, value) => {
        expectOrderly(await send('PUT', '/v1/resources/account/1', '{}', { [name]: value }));
      }),
      { numRuns: 200 },
    );
  });
});
