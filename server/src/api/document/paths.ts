import type { ErrorCode } from '@lockstep/shared';
import { z } from 'zod';
import * as requests from '../ops-requests.ts';
import { answer, BODY, type Call, jsonBody, KEY, keyAnswer, keyPath, problems } from './calls.ts';
import { routingCalls } from './routing-calls.ts';
import * as wire from './schemas.ts';

const WRITE: ErrorCode[] = [
  ...KEY,
  'UNKNOWN_LEASE',
  'FENCED',
  'CONSTRAINT',
  'FORBIDDEN_BY_DATABASE',
  'VERSION_MISMATCH',
  'IDEMPOTENCY_KEY_REUSED',
  'QUEUE_FULL',
  'LOCK_TIMEOUT',
  'LOCKS_UNAVAILABLE',
  'DATABASE_UNAVAILABLE',
  'CACHE_UNAVAILABLE',
  'SHUTTING_DOWN',
  'OUTCOME_UNKNOWN',
];

const writeHeaders = z.object({
  'If-Match': z.string().optional().meta({
    description:
      'The ETag that the row must have, such as "7"; "7-k2f" where another program changed it since version 7.',
  }),
  'Idempotency-Key': z.string().optional().meta({
    description: 'A repeat within 24 h answers the first outcome again and applies nothing.',
  }),
  'Lockstep-Timeout': z
    .int()
    .optional()
    .meta({ description: 'Bound on the wait for the lock, in ms.' }),
  'Lockstep-Lease': z
    .string()
    .optional()
    .meta({ description: 'The lease that holds the key; the write goes through under it.' }),
  'Lockstep-Token': wire.token.optional(),
});
const putHeaders = writeHeaders.extend({
  'If-None-Match': z.literal('*').optional().meta({ description: 'Only create.' }),
});

const resourceCalls: Call[] = [
  {
    method: 'put',
    path: '/v1/resources/{resource}/{key}',
    summary: 'Insert or replace a row',
    request: { params: keyPath, headers: putHeaders, body: jsonBody(wire.columns) },
    responses: {
      200: keyAnswer('Replaced', wire.writeAnswer),
      201: keyAnswer('Created', wire.writeAnswer),
      ...problems([...BODY, ...WRITE]),
    },
  },
  {
    method: 'patch',
    path: '/v1/resources/{resource}/{key}',
    summary: 'Change some columns of a row that is there',
    request: { params: keyPath, headers: writeHeaders, body: jsonBody(wire.patchBody) },
    responses: { 200: keyAnswer('Changed', wire.writeAnswer), ...problems([...BODY, ...WRITE]) },
  },
  {
    method: 'delete',
    path: '/v1/resources/{resource}/{key}',
    summary: 'Delete a row',
    request: { params: keyPath, headers: writeHeaders },
    responses: { 200: keyAnswer('Deleted', wire.writeAnswer), ...problems(WRITE) },
  },
  {
    method: 'get',
    path: '/v1/resources/{resource}/{key}',
    summary: 'Read a row, or the rows of a query, through the cache',
    request: {
      params: keyPath,
      query: z.object({
        consistency: z.literal('primary').optional().meta({ description: 'Go to the database.' }),
        minVersion: z.int().optional().meta({ description: 'Never answer an older version.' }),
        token: wire.token.optional(),
      }),
      headers: writeHeaders.pick({ 'Lockstep-Token': true }),
    },
    responses: {
      200: keyAnswer('The row', wire.readAnswer),
      304: { description: 'If-None-Match names the current entity tag' },
      ...problems([...KEY, 'VERSION_MISMATCH', 'FORBIDDEN_BY_DATABASE', 'DATABASE_UNAVAILABLE']),
    },
  },
];

const manyCalls: Call[] = [
  {
    method: 'post',
    path: '/v1/batch',
    summary: 'Independent operations, answered in order',
    request: { body: jsonBody(wire.batchBody) },
    responses: { 200: answer('Every operation’s result', wire.batchAnswer), ...problems(BODY) },
  },
  {
    method: 'post',
    path: '/v1/transactions',
    summary: 'Several writes, all of them or none',
    request: {
      headers: writeHeaders.omit({ 'If-Match': true }),
      body: jsonBody(wire.transactionBody),
    },
    responses: {
      200: answer('All of them were applied', wire.transactionAnswer),
      ...problems([...BODY, ...WRITE]),
    },
  },
  {
    method: 'post',
    path: '/v1/invalidations',
    summary: 'Invalidate what a caller changed in the database itself',
    request: { body: jsonBody(wire.invalidationBody) },
    responses: {
      200: answer('What each key’s cache holds now', wire.invalidationAnswer),
      ...problems([...BODY, 'UNKNOWN_RESOURCE', 'SHUTTING_DOWN']),
    },
  },
];

const LEASE: ErrorCode[] = ['UNKNOWN_LEASE', 'FENCED'];
const leasePath = z.object({ id: z.string() });

const leaseCalls: Call[] = [
  {
    method: 'post',
    path: '/v1/leases',
    summary: 'Hold a key for work of your own',
    request: {
      headers: writeHeaders.pick({ 'Lockstep-Timeout': true }),
      body: jsonBody(wire.leaseBody),
    },
    responses: {
      201: answer('The key is held', wire.leaseAnswer),
      ...problems([
        ...BODY,
        'UNKNOWN_RESOURCE',
        'FENCED',
        'QUEUE_FULL',
        'LOCK_TIMEOUT',
        'LOCKS_UNAVAILABLE',
        'DATABASE_UNAVAILABLE',
        'CACHE_UNAVAILABLE',
        'SHUTTING_DOWN',
      ]),
    },
  },
  {
    method: 'patch',
    path: '/v1/leases/{id}',
    summary: 'Let a lease last so long from now',
    request: { params: leasePath, body: jsonBody(wire.leaseExtension) },
    responses: {
      200: answer('It is still held', wire.leaseAnswer),
      ...problems([...BODY, ...LEASE]),
    },
  },
  {
    method: 'delete',
    path: '/v1/leases/{id}',
    summary: 'Release a lease; with `invalidate: true` the key’s entry goes first',
    request: {
      params: leasePath,
      body: { ...jsonBody(wire.leaseRelease), required: false },
    },
    responses: {
      200: answer('It is over', wire.leaseReleased),
      ...problems([...BODY, ...LEASE, 'DATABASE_UNAVAILABLE', 'SHUTTING_DOWN']),
    },
  },
];

const ops = (
  method: 'get' | 'post',
  path: string,
  summary: string,
  request: Call['request'] = {},
): Call => ({
  method,
  path: `/v1/ops${path}`,
  summary,
  request,
  responses: {
    200: answer('Done', wire.object),
    ...problems(['FORBIDDEN', 'NOT_FOUND', 'INVALID']),
  },
});
const idPath = z.object({ id: z.string() });

const opsCalls: Call[] = [
  ops('get', '/session', 'Who answers: instance and version'),
  ops('get', '/resources', 'The configured resources'),
  ops('get', '/audits', 'Runs, newest first', { query: requests.runsQuery }),
  ops('post', '/audits', 'Run an audit now; answers when it has ended', {
    body: jsonBody(requests.auditRequest),
  }),
  ops('post', '/reload', 'Follow the configuration as it is now; a wrong one changes nothing'),
  ops('get', '/refreshes', 'Refreshed tables: last run, what readers see, next run'),
  ops('post', '/refreshes', 'Refresh a table now; answers when it has ended', {
    body: jsonBody(requests.refreshRequest),
  }),
  ops(
    'post',
    '/sweeps',
    'Remove every entry of the resources, or of one; answers when it has ended',
    {
      body: jsonBody(requests.sweepRequest),
    },
  ),
  ops('get', '/findings', 'Findings, newest first', { query: requests.findingsQuery }),
  ops('post', '/findings/{id}/repair', 'Repair one finding', {
    params: idPath,
    body: jsonBody(requests.repairRequest),
  }),
  ops('get', '/keys/{resource}/{key}', 'Row, entry, lock and recent events of a key', {
    params: keyPath,
  }),
  ops('get', '/outbox/dead', 'Dead letters', { query: requests.deadQuery }),
  ops('post', '/outbox/dead/{id}', 'Retry or discard a dead letter', {
    params: idPath,
    body: jsonBody(requests.deadLetterRequest),
  }),
  ops('post', '/demo/drift', 'Make drift on purpose (demo only)', {
    body: jsonBody(requests.driftRequest),
  }),
];

const probe = (path: string, summary: string): Call => ({
  method: 'get',
  path,
  summary,
  request: path === '/readyz' ? { query: z.object({ verbose: z.string().optional() }) } : {},
  responses: { 200: answer('Yes', wire.probeAnswer), 503: answer('No', wire.probeAnswer) },
});

const openCalls: Call[] = [
  probe('/livez', 'Whether the process answers'),
  probe('/readyz', 'Whether to send traffic here'),
  {
    method: 'get',
    path: '/metrics',
    summary: 'Prometheus text',
    responses: {
      200: { description: 'Metrics', content: { 'text/plain': { schema: z.string() } } },
    },
  },
];

/** Every call by the heading under which the document lists it. */
export const SECTIONS: { tag: string; description: string; open: boolean; calls: Call[] }[] = [
  { tag: 'Resources', description: 'One key at a time.', open: false, calls: resourceCalls },
  {
    tag: 'Many keys',
    description: 'Batches, transactions and invalidations.',
    open: false,
    calls: manyCalls,
  },
  { tag: 'Leases', description: 'A key held for a caller.', open: false, calls: leaseCalls },
  {
    tag: 'Routing',
    description: 'Which coordinator a key is best sent to; any of them may serve it.',
    open: false,
    calls: routingCalls,
  },
  { tag: 'Operators', description: 'With the admin token.', open: false, calls: opsCalls },
  { tag: 'Probes', description: 'Open to everyone.', open: true, calls: openCalls },
];
