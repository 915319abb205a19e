import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { column, resource } from './resource.ts';
import { CacheKeyTemplate, type Resource } from '../../server/src/domain/index.ts';
import { memberNamed, testRouter } from './router.ts';
import { systemRuntime } from '../../server/src/runtime/index.ts';
import { createApi } from '../../server/src/api/api.ts';
import { createAuthenticator } from '../../server/src/api/authentication.ts';
import type { ApiOptions } from '../../server/src/api/ports.ts';
import { stubGuards } from './stub-guards.ts';
import { stubLeases } from './stub-leases.ts';
import { MemoryStore } from './memory-store.ts';
import { stubOps } from './stub-ops.ts';

export const SERVICE_TOKEN = 'service-token-0123456789';
export const ADMIN_TOKEN = 'admin-token-0123456789';

const text = column('id', 'text', { maxLength: 2000 });
/** Of a table that numbers its rows. */
const numbered = column('id', 'bigint', { identity: true, defaultSql: "nextval('ticket_id_seq')" });
const RESOURCES: Resource[] = [
  resource({ invalidates: [new CacheKeyTemplate('owner:{owner}')] }),
  resource({
    name: 'note',
    keyColumns: [text],
    columns: [text, column('body', 'text')],
    cacheKey: new CacheKeyTemplate('note:{id}'),
  }),
  resource({
    name: 'ticket',
    keyColumns: [numbered],
    columns: [numbered, column('owner', 'text'), column('balance', 'bigint')],
    cacheKey: new CacheKeyTemplate('ticket:{id}'),
  }),
  resource({
    name: 'line',
    policy: 'delete-after-write',
    keyColumns: [column('order', 'text'), column('n', 'integer')],
    columns: [
      column('order', 'text'),
      column('n', 'integer'),
      column('sku', 'text'),
      column('data', 'json'),
    ],
    cacheKey: new CacheKeyTemplate('line:{order}:{n}'),
  }),
];

/** A real HTTP server over an engine in memory, on a free port. */
export async function startApi(changes: Partial<ApiOptions> = {}) {
  const logged: { fields: object; message: string }[] = [];
  const note = (fields: object, message: string): void => void logged.push({ fields, message });
  const quiet = (): void => undefined;
  const store = new MemoryStore();
  const alone = testRouter({ members: () => [memberNamed('here', 'http://here.test', true)] });
  await alone.settle();
  const parts: ApiOptions = {
    resources: new Map(RESOURCES.map((entry) => [entry.name, entry])),
    writes: store,
    reads: store,
    leases: stubLeases(),
    guards: stubGuards(),
    routing: alone.router,
    auth: createAuthenticator({
      mode: 'required',
      tokens: { service: SERVICE_TOKEN, admin: ADMIN_TOKEN },
    }),
    limits: {
      bodyBytes: 16_384,
      keyBytes: 2048,
      batchOperations: 20,
      batchConcurrency: 4,
      transactionOperations: 20,
      leaseTtlMs: 60_000,
      guardTtlMs: 60_000,
      writesInFlight: 50,
      readsInFlight: 50,
      answerBytes: 100_000,
      unsentBytes: 1_000_000,
    },
    cacheFacts: { cluster: 'test', cacheId: () => 'cache-1', hasReplicas: false },
    ops: stubOps(),
    health: { ready: () => ({ ok: true, checks: [] }) },
    metricsText: () => Promise.resolve('lockstep_up 1\n'),
    metricsToken: null,
    dashboardDir: null,
    version: '0.0.0',
    leaving: () => false,
    draining: () => false,
    runtime: systemRuntime({ debug: quiet, info: quiet, warn: quiet, error: note }),
    ...changes,
  };
  const server = createServer(createApi(parts));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  const url = `http://127.0.0.1:${port}`;
  return {
    url,
    port,
    store,
    limits: parts.limits,
    /** Errors that were logged. */
    logged,
    call: (method: string, path: string, options: CallOptions = {}) =>
      call(url, method, path, options),
    close: async (): Promise<void> => {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

export type ApiServer = Awaited<ReturnType<typeof startApi>>;

interface CallOptions {
  body?: unknown;
  /** Sent as it is. */
  raw?: string | Uint8Array<ArrayBuffer>;
  headers?: Record<string, string>;
  token?: string | null;
}

export interface Called {
  status: number;
  headers: Headers;
  text: string;
  json: Record<string, unknown>;
}

async function call(
  url: string,
  method: string,
  path: string,
  options: CallOptions,
): Promise<Called> {
  const { body, raw, headers = {}, token = SERVICE_TOKEN } = options;
  const sent = raw ?? (body === undefined ? null : JSON.stringify(body));
  const response = await fetch(url + path, {
    method,
    body: sent,
    headers: {
      ...(sent === null ? {} : { 'Content-Type': 'application/json' }),
      ...(token === null ? {} : { Authorization: `Bearer ${token}` }),
      ...headers,
    },
  });
  const answer = await response.text();
  const isJson = answer !== '' && /json/.test(response.headers.get('content-type') ?? '');
  const json = isJson ? (JSON.parse(answer) as Record<string, unknown>) : {};
  return { status: response.status, headers: response.headers, text: answer, json };
}
