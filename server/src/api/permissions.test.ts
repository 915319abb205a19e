/**
 * Who may call what: every route of the table of endpoints against every kind of caller. What is expected stands here by
 * hand, so that a route without a line fails, and so does one whose role or scopes have changed.
 */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  ADMIN_TOKEN,
  type ApiServer,
  SERVICE_TOKEN,
  startApi,
} from '@lockstep/testkit/doubles/api-server';
import { knownKeys, MemoryKeyStore } from '@lockstep/testkit/doubles/memory-key-store';
import type { KnownKeys } from '../identities/index.ts';
import { type Authenticator, createAuthenticator } from './authentication.ts';
import { ENDPOINTS } from './endpoints.ts';

const ofTenant = (resource: string, prefix: string): string[] =>
  ['read', 'write', 'lease', 'invalidate'].map((action) => `${action}:${resource}${prefix}`);

const SCOPES = {
  reader: ['read:account'],
  writer: ['write:account'],
  leaser: ['lease:account'],
  guarder: ['lease:account', 'write:account'],
  invalidator: ['invalidate:account'],
  sweeper: ['operate:account'],
  tenant: ofTenant('account', ':1*'),
  otherTenant: ofTenant('account', ':2*'),
  stranger: ofTenant('note', ''),
  everywhere: ofTenant('*', ''),
} as const;
const ROLES = ['viewer', 'operator', 'admin'] as const;
type Kind =
  keyof typeof SCOPES | (typeof ROLES)[number] | 'serviceToken' | 'adminToken' | 'anonymous';
const KINDS: readonly Kind[] = [
  ...(Object.keys(SCOPES) as (keyof typeof SCOPES)[]),
  ...ROLES,
  ...(['serviceToken', 'adminToken', 'anonymous'] as const),
];

const ADMINS: readonly Kind[] = ['admin', 'adminToken'];
/** May do everything that services do. */
const ALL: readonly Kind[] = [...ADMINS, 'serviceToken', 'everywhere'];
const READERS: readonly Kind[] = [...ALL, 'reader', 'tenant'];
const WRITERS: readonly Kind[] = [...ALL, 'writer', 'guarder', 'tenant'];
/** Who may write what names no key. */
const WHOLE: readonly Kind[] = [...ALL, 'writer', 'guarder'];
const LEASERS: readonly Kind[] = [...ALL, 'leaser', 'guarder', 'tenant'];
const GUARDERS: readonly Kind[] = [...ALL, 'guarder', 'tenant'];
/** An id says which key it is about only to the coordinator that gave it out. */
const ELSEWHERE: readonly Kind[] = ['otherTenant', 'stranger'];
const SERVICES: readonly Kind[] = KINDS.filter(
  (kind) => !['sweeper', 'viewer', 'operator', 'anonymous'].includes(kind),
);
const VIEWERS: readonly Kind[] = [...ADMINS, 'viewer', 'operator'];
const OPERATORS: readonly Kind[] = [...ADMINS, 'operator'];
const SWEEPERS: readonly Kind[] = [...OPERATORS, 'sweeper'];

interface Expected {
  who: readonly Kind[];
  /** For the caller at this place. */
  bodyOf?: (place: number) => unknown;
  body?: unknown;
  query?: string;
}

const KEY = { resource: 'account', key: 1 };
const ROUTES: Readonly<Record<string, Expected>> = {
  'GET /v1/resources/{resource}/{key}': { who: READERS },
  'PUT /v1/resources/{resource}/{key}': { who: WRITERS, body: {} },
  'PATCH /v1/resources/{resource}/{key}': { who: WRITERS, body: {} },
  'DELETE /v1/resources/{resource}/{key}': { who: WRITERS },
  'GET /v1/resources': { who: SERVICES },
  'POST /v1/resources/{resource}': { who: WRITERS, body: { id: 1 } },
  'PATCH /v1/resources/{resource}': { who: WHOLE, query: '?where={"id":1}', body: {} },
  'DELETE /v1/resources/{resource}': { who: WHOLE, query: '?where={"id":1}' },
  'POST /v1/batch': { who: READERS, body: { operations: [{ op: 'get', ...KEY }] } },
  'POST /v1/transactions': {
    who: WRITERS,
    body: { operations: [{ op: 'put', ...KEY, value: {} }] },
  },
  'POST /v1/invalidations': { who: [...ALL, 'invalidator', 'tenant'], body: { keys: [KEY] } },
  'POST /v1/leases': { who: LEASERS, bodyOf: (place) => ({ ...KEY, key: `1${place}`, ttl: '1s' }) },
  'PATCH /v1/leases/{id}': { who: [...LEASERS, ...ELSEWHERE], body: { ttl: '1s' } },
  'DELETE /v1/leases/{id}': { who: [...LEASERS, ...ELSEWHERE] },
  'POST /v1/guards': { who: GUARDERS, body: { keys: [KEY], ttl: '1s' } },
  'GET /v1/guards/{id}': { who: [...GUARDERS, ...ELSEWHERE] },
  'POST /v1/guards/{id}/commit': { who: [...GUARDERS, ...ELSEWHERE] },
  'POST /v1/guards/{id}/rollback': { who: [...GUARDERS, ...ELSEWHERE] },
  'GET /v1/routing': { who: SERVICES },
  'GET /v1/routing/{resource}/{key}': { who: SERVICES },
  'GET /v1/ops/session': { who: VIEWERS },
  'GET /v1/ops/resources': { who: VIEWERS },
  'GET /v1/ops/audits': { who: VIEWERS },
  'POST /v1/ops/audits': { who: SWEEPERS, body: { resource: 'account' } },
  'POST /v1/ops/reload': { who: ADMINS },
  'GET /v1/ops/refreshes': { who: VIEWERS },
  'POST /v1/ops/refreshes': { who: SWEEPERS, body: { resource: 'account' } },
  'GET /v1/ops/rollout': { who: VIEWERS },
  'POST /v1/ops/sweeps': { who: SWEEPERS, body: { resource: 'account' } },
  'GET /v1/ops/findings': { who: VIEWERS },
  'POST /v1/ops/findings/{id}/repair': { who: OPERATORS, body: { rule: 'refresh' } },
  'GET /v1/ops/keys/{resource}/{key}': { who: VIEWERS },
  'GET /v1/ops/outbox/dead': { who: VIEWERS },
  'POST /v1/ops/outbox/dead/{id}': { who: OPERATORS, body: { action: 'retry' } },
  'POST /v1/ops/demo/drift': { who: OPERATORS, body: { resource: 'account', count: 1 } },
  'GET /livez': { who: KINDS },
  'GET /readyz': { who: KINDS },
  'GET /metrics': { who: KINDS },
  'GET /openapi.json': { who: KINDS },
  'GET /docs': { who: KINDS },
  'GET /docs/style.css': { who: KINDS },
};

let api: ApiServer;
let keys: KnownKeys;
let auth: Authenticator;
const store = new MemoryKeyStore();
const tokens = new Map<Kind, string | null>([
  ['serviceToken', SERVICE_TOKEN],
  ['adminToken', ADMIN_TOKEN],
  ['anonymous', null],
]);
const token = (kind: Kind): string | null => tokens.get(kind) ?? null;

beforeAll(async () => {
  for (const [kind, scopes] of Object.entries(SCOPES)) tokens.set(kind as Kind, store.add(scopes));
  for (const role of ROLES) tokens.set(role, store.add([], role));
  keys = await knownKeys(store);
  const configured = { service: SERVICE_TOKEN, admin: ADMIN_TOKEN };
  auth = createAuthenticator({ mode: 'required', tokens: configured, keys });
  api = await startApi({ auth });
});
afterAll(async () => {
  await api.close();
  await keys.stop();
});

const addressOf = (path: string): string =>
  path.replace('{resource}', 'account').replace('{key}', '1').replace('{id}', 'x');

/** The code of the answer, or of the only operation in it; undefined: it succeeded. */
async function codeOf(
  kind: Kind,
  method: string,
  path: string,
  { body }: Pick<Expected, 'body'> = {},
): Promise<unknown> {
  const { json } = await api.call(method, path, { token: token(kind), body });
  const results = json['results'];
  const [first] = Array.isArray(results) ? (results as Record<string, unknown>[]) : [];
  return json['code'] ?? first?.['code'];
}

describe('the table of endpoints', () => {
  it('has a line here for each route, and no other line is here', () => {
    const declared = ENDPOINTS.map(({ method, path }) => `${method} ${path}`);
    expect(Object.keys(ROUTES).toSorted()).toEqual(declared.toSorted());
  });

  it.each(Object.entries(ROUTES))(
    'lets only those call %s who may (I2)',
    async (route, expected) => {
      const [method = '', path = ''] = route.split(' ');
      const allowed: Kind[] = [];
      for (const [place, kind] of KINDS.entries()) {
        const address = `${addressOf(path)}${expected.query ?? ''}`;
        const body = expected.bodyOf?.(place) ?? expected.body;
        const code = await codeOf(kind, method, address, { body });
        if (code !== 'FORBIDDEN' && code !== 'UNAUTHENTICATED') allowed.push(kind);
        else if (kind === 'anonymous') expect(code).toBe('UNAUTHENTICATED');
        else expect(code).toBe('FORBIDDEN');
      }
      expect(allowed.toSorted()).toEqual([...expected.who].toSorted());
    },
  );
});

describe('the live stream', () => {
  it('is for those who may look (I2)', async () => {
    const watching: Kind[] = [];
    for (const kind of KINDS) {
      const shown = token(kind) ?? undefined;
      const access = await auth.accessOf(shown);
      expect(auth.presentAccessOf(shown)).toBe(access);
      if (access?.hasRole('viewer') === true) watching.push(kind);
    }
    expect(watching.toSorted()).toEqual([...VIEWERS].toSorted());
  });
});

describe('a call of many keys (I2)', () => {
  it('in a batch has each operation looked at by itself', async () => {
    const before = api.store.requests.length;
    const operations = [
      { op: 'get', resource: 'account', key: 19 },
      { op: 'get', resource: 'account', key: 29 },
      { op: 'put', resource: 'account', key: 10, value: {} },
      { op: 'delete', resource: 'account', key: 20 },
      { op: 'insert', resource: 'account', value: { id: 11 } },
      { op: 'insert', resource: 'account', value: { id: 21 } },
      { op: 'insert', resource: 'ticket', value: {} },
    ];
    const { json, status } = await api.call('POST', '/v1/batch', {
      ...{ token: token('tenant'), body: { operations } },
    });
    const codes = (json['results'] as { status: number; code?: string }[]).map(
      (each) => each.code ?? each.status,
    );
    const refused = 'FORBIDDEN';
    expect([status, codes]).toEqual([
      200,
      ['NOT_FOUND', refused, 201, refused, 201, refused, refused],
    ]);
    expect(api.store.requests.length - before).toBe(2);
  });

  it('in a transaction is applied whole or not at all', async () => {
    const before = api.store.requests.length;
    const operations = [
      { op: 'put', resource: 'account', key: 1, value: {} },
      { op: 'put', resource: 'account', key: 2, value: {} },
    ];
    const { json } = await api.call('POST', '/v1/transactions', {
      ...{ token: token('tenant'), body: { operations } },
    });
    expect(json).toMatchObject({ code: 'FORBIDDEN', operation: 1, outcome: 'not_applied' });
    expect(json['detail']).toMatch(/^Operation 1: .*scope write:account/);
    expect(api.store.requests.length).toBe(before);
  });

  it('takes guards on all of its keys or on none', async () => {
    const body = { keys: [KEY, { resource: 'account', key: 2 }], ttl: '1s' };
    expect(await codeOf('tenant', 'POST', '/v1/guards', { body })).toBe('FORBIDDEN');
    expect(await codeOf('guarder', 'POST', '/v1/guards', { body })).toBeUndefined();
  });

  it('invalidates all of its keys or none, and cache keys by scopes without a prefix', async () => {
    const cases: [Kind, object, string | undefined][] = [
      ['tenant', { keys: [KEY, { resource: 'account', key: 2 }] }, 'FORBIDDEN'],
      ['tenant', { cacheKeys: ['account:1'] }, 'FORBIDDEN'],
      ['invalidator', { cacheKeys: ['account:1', 'account:2'] }, undefined],
      ['invalidator', { cacheKeys: ['note:1'] }, 'FORBIDDEN'],
      ['invalidator', { cacheKeys: ['owner:ann'] }, 'FORBIDDEN'],
      ['everywhere', { cacheKeys: ['account:1', 'note:1', 'owner:ann'] }, undefined],
      ['everywhere', { cacheKeys: ['session:7'] }, 'INVALID'],
      ['admin', { cacheKeys: ['session:7'] }, undefined],
    ];
    for (const [kind, body, code] of cases)
      expect(await codeOf(kind, 'POST', '/v1/invalidations', { body })).toBe(code);
  });
});

describe('a call that names no key (I2)', () => {
  it('of an operator for all resources needs the role, or the scope for all', async () => {
    expect(await codeOf('sweeper', 'POST', '/v1/ops/sweeps', { body: {} })).toBe('FORBIDDEN');
    const body = { resource: 'note' };
    expect(await codeOf('sweeper', 'POST', '/v1/ops/sweeps', { body })).toBe('FORBIDDEN');
    expect(await codeOf('operator', 'POST', '/v1/ops/sweeps', { body: {} })).toBeUndefined();
  });

  it('and inserts a row whose key the database makes needs the scope for every key', async () => {
    const insert = (kind: Kind): Promise<unknown> =>
      codeOf(kind, 'POST', '/v1/resources/ticket', { body: { owner: 'ann' } });
    expect(await insert('tenant')).toBe('FORBIDDEN');
    expect(await insert('everywhere')).toBeUndefined();
  });
});

describe('a method that stands for another one (I2)', () => {
  it('needs the same, and what no endpoint has needs a scope of a service', async () => {
    const path = '/v1/resources/account/1';
    const status = async (kind: Kind, method: string): Promise<number> =>
      (await api.call(method, path, { token: token(kind) })).status;
    expect(await status('reader', 'HEAD')).not.toBe(403);
    expect(await status('writer', 'HEAD')).toBe(403);
    expect(await status('otherTenant', 'HEAD')).toBe(403);
    expect(await status('writer', 'OPTIONS')).toBe(204);
    expect(await status('viewer', 'OPTIONS')).toBe(403);
    expect(await status('sweeper', 'POST')).toBe(403);
    expect(await status('reader', 'POST')).toBe(405);
  });
});

describe('a lease (I2)', () => {
  it('is extended and released only by those who may lease its key', async () => {
    const granted = await api.call('POST', '/v1/leases', {
      ...{ token: token('tenant'), body: { ...KEY, ttl: '30s' } },
    });
    const path = `/v1/leases/${String(granted.json['id'])}`;
    for (const kind of ['otherTenant', 'stranger'] as const) {
      expect(await codeOf(kind, 'PATCH', path, { body: { ttl: '30s' } })).toBe('FORBIDDEN');
      expect(await codeOf(kind, 'DELETE', path)).toBe('FORBIDDEN');
    }
    const invalidating = { body: { invalidate: true } };
    expect(await codeOf('leaser', 'DELETE', path, invalidating)).toBe('FORBIDDEN');
    expect(await codeOf('leaser', 'PATCH', path, { body: { ttl: '30s' } })).toBeUndefined();
    expect(await codeOf('tenant', 'DELETE', path, invalidating)).toBeUndefined();
  });
});

describe('a token that is not somebody’s', () => {
  it('is answered alike, whether it is unknown, expired, revoked or has another secret (I3)', async () => {
    const expired = store.add(['read:account'], null, { leftMs: 0 });
    const revoked = new MemoryKeyStore().add(['read:account']);
    const known = String(token('reader'));
    const wrong = known.slice(0, -1) + (known.endsWith('A') ? 'B' : 'A');
    const texts = new Set<string>();
    for (const shown of [expired, revoked, wrong, 'nothing', `${known}x`, known.toUpperCase()]) {
      const answer = await api.call('GET', '/v1/resources/account/1', { token: shown });
      expect([answer.status, answer.json['code']]).toEqual([401, 'UNAUTHENTICATED']);
      expect(answer.text).not.toContain(shown);
      texts.add(String(answer.json['detail']));
    }
    expect(texts.size).toBe(1);
  });

  it('is let in once it is somebody’s, without a restart', async () => {
    const created = store.add(['read:account']);
    const answer = await api.call('GET', '/v1/resources/account/1', { token: created });
    expect(answer.status).not.toBe(401);
  });

  it('is not asked for with auth off', async () => {
    const configured = { service: SERVICE_TOKEN, admin: ADMIN_TOKEN };
    const open = createAuthenticator({ mode: 'off', tokens: configured, keys });
    expect((await open.accessOf(undefined))?.isAdmin).toBe(true);
  });
});
