/**
 * Every endpoint of the API: its method, path and least role or scopes, what it is asked and answers, what kinds of call it is, and
 * its handler. The codes that it can answer derive from the kinds (`ERROR_CODES`). The router, the API document and the
 * tests of roles and methods read this table.
 */
import type { CallKind } from '@lockstep/shared';
import { z } from 'zod';
import { runBatch } from './batch.ts';
import { answerCatalog } from './catalog.ts';
import { declaredOnly, type Endpoint, namedBody, openBody, rowsOf } from './endpoint.ts';
import * as guards from './guards.ts';
import { runInsert } from './insert-route.ts';
import { runInvalidations } from './invalidations.ts';
import * as leases from './leases.ts';
import * as open from './open.ts';
import { opsEndpoints } from './ops-endpoints.ts';
import * as routing from './routing-route.ts';
import * as wire from './schemas.ts';
import * as sets from './sets.ts';
import { runTransaction } from './transactions.ts';

/** The headings of the API document. */
export const TAGS: Readonly<Record<string, string>> = {
  Resources: 'One key at a time, and what can be read.',
  'Many keys': 'Batches, transactions and invalidations.',
  Leases: 'A key held for a caller.',
  Guards: 'Keys held for a strict transaction of the caller’s own, which calls lockstep_guard.',
  Routing: 'Which coordinator a key is best sent to; any of them may serve it.',
  Operators: 'With the admin token, or a key with the role.',
  'Probes and pages': 'Open to everyone.',
};

export const RESOURCE_PATH = '/v1/resources/{resource}/{key}';
const hot = {
  path: RESOURCE_PATH,
  role: 'service',
  tag: 'Resources',
  params: wire.keyPath,
} as const;
const keyAnswer = (description: string, schema: z.ZodType) => ({
  ...{ description, schema, headers: wire.routedHeaders },
});
const WRITE: readonly CallKind[] = ['key', 'write', 'routed'];

/** Served by `resource-route.ts`, before any middleware runs. */
const resourceEndpoints = [
  declaredOnly({
    ...hot,
    scopes: ['read'],
    method: 'GET',
    summary: 'Read a row, or the rows of a query, through the cache',
    query: wire.readQuery,
    headers: wire.writeHeaders.pick({ 'Lockstep-Token': true }),
    answers: {
      200: keyAnswer('The row', wire.readAnswer),
      304: { description: 'If-None-Match names the current entity tag' },
    },
    kinds: ['key', 'read', 'routed'],
  }),
  declaredOnly({
    ...hot,
    scopes: ['write'],
    method: 'PUT',
    summary: 'Insert or replace a row',
    headers: wire.putHeaders,
    body: { schema: wire.columns, isRequired: true },
    answers: {
      200: keyAnswer('Replaced', wire.writeAnswer),
      201: keyAnswer('Created', wire.writeAnswer),
    },
    kinds: WRITE,
  }),
  declaredOnly({
    ...hot,
    scopes: ['write'],
    method: 'PATCH',
    summary: 'Change some columns of a row that is there',
    headers: wire.writeHeaders,
    body: { schema: wire.patchBody, isRequired: true },
    answers: { 200: keyAnswer('Changed', wire.writeAnswer) },
    kinds: WRITE,
  }),
  declaredOnly({
    ...hot,
    scopes: ['write'],
    method: 'DELETE',
    summary: 'Delete a row',
    headers: wire.writeHeaders,
    answers: { 200: keyAnswer('Deleted', wire.writeAnswer) },
    kinds: WRITE,
  }),
];

const ofResources = rowsOf('Resources', 'service', ['write']);
const tableEndpoints = [
  rowsOf(
    'Resources',
    'service',
  )({
    method: 'GET',
    path: '/v1/resources',
    summary: 'The resources, with what a client needs to read their entries from the cache itself',
    answers: { 200: { description: 'As this coordinator has them now', schema: wire.catalog } },
    handle: answerCatalog,
  }),
  ofResources({
    method: 'POST',
    path: '/v1/resources/{resource}',
    summary: 'Insert a row, whose key the database may make',
    params: wire.resourcePath,
    headers: wire.writeHeaders.omit({ 'If-Match': true }),
    body: openBody(wire.newColumns),
    answers: {
      201: { description: 'Inserted', schema: wire.writeAnswer, headers: wire.insertedHeaders },
    },
    kinds: ['resource', 'write'],
    handle: runInsert,
  }),
];

const setHeaders = wire.writeHeaders.pick({ 'Idempotency-Key': true, 'Lockstep-Timeout': true });
const ofSets = rowsOf('Many keys', 'service', ['write']);
const setEndpoints = [
  ofSets({
    method: 'PATCH',
    path: '/v1/resources/{resource}',
    summary: 'Change some columns of all rows that match, or of none',
    params: wire.resourcePath,
    query: wire.setQuery,
    headers: setHeaders,
    body: openBody(wire.patchBody),
    answers: { 200: { description: 'All of them were changed', schema: wire.setAnswer } },
    kinds: ['resource', 'query', 'write', 'set'],
    handle: sets.patchSet,
  }),
  ofSets({
    method: 'DELETE',
    path: '/v1/resources/{resource}',
    summary: 'Delete all rows that match, or none',
    params: wire.resourcePath,
    query: wire.setQuery,
    headers: setHeaders,
    answers: { 200: { description: 'All of them were deleted', schema: wire.setAnswer } },
    kinds: ['resource', 'query', 'write', 'set'],
    handle: sets.deleteSet,
  }),
];

const manyKeysEndpoints = [
  // Each operation is looked at by itself.
  rowsOf(
    'Many keys',
    'service',
  )({
    method: 'POST',
    path: '/v1/batch',
    summary: 'Independent operations, answered in order',
    body: namedBody(wire.batchBody),
    answers: { 200: { description: 'Every operation’s result', schema: wire.batchAnswer } },
    handle: runBatch,
  }),
  rowsOf('Many keys', 'service', ['write'])({
    method: 'POST',
    path: '/v1/transactions',
    summary: 'Several writes, all of them or none',
    headers: wire.writeHeaders.omit({ 'If-Match': true }),
    body: namedBody(wire.transactionBody),
    answers: { 200: { description: 'All of them were applied', schema: wire.transactionAnswer } },
    kinds: ['resource', 'write'],
    handle: runTransaction,
  }),
  rowsOf('Many keys', 'service', ['invalidate'])({
    method: 'POST',
    path: '/v1/invalidations',
    summary: 'Invalidate what a caller changed in the database itself',
    body: namedBody(wire.invalidationBody),
    answers: {
      200: { description: 'What each key’s cache holds now', schema: wire.invalidationAnswer },
    },
    kinds: ['resource', 'invalidate'],
    handle: runInvalidations,
  }),
];

const ofLeases = rowsOf('Leases', 'service', ['lease']);
const leaseEndpoints = [
  ofLeases({
    method: 'POST',
    path: '/v1/leases',
    summary: 'Hold a key for work of your own',
    headers: wire.writeHeaders.pick({ 'Lockstep-Timeout': true }),
    body: namedBody(wire.leaseBody),
    answers: { 201: keyAnswer('The key is held', wire.leaseAnswer) },
    kinds: ['resource', 'acquire-lease', 'routed'],
    handle: leases.grantLease,
  }),
  ofLeases({
    method: 'PATCH',
    path: '/v1/leases/{id}',
    summary: 'Let a lease last so long from now',
    params: wire.idPath,
    body: namedBody(wire.leaseExtension),
    answers: { 200: { description: 'It is still held', schema: wire.leaseAnswer } },
    kinds: ['lease', 'routed'],
    handle: leases.extendLease,
  }),
  ofLeases({
    method: 'DELETE',
    path: '/v1/leases/{id}',
    summary: 'Release a lease; with `invalidate: true` the key’s entry goes first',
    params: wire.idPath,
    body: namedBody(wire.leaseRelease, false),
    answers: { 200: { description: 'It is over', schema: wire.leaseReleased } },
    kinds: ['lease', 'routed'],
    handle: leases.releaseLease,
  }),
];

const ofGuards = rowsOf('Guards', 'service', ['lease', 'write']);
const guardEndpoints = [
  ofGuards({
    method: 'POST',
    path: '/v1/guards',
    summary: 'Hold keys for a strict transaction of your own',
    headers: wire.writeHeaders.pick({ 'Lockstep-Timeout': true }),
    body: namedBody(wire.guardBody),
    answers: { 201: { description: 'The keys are held', schema: wire.guardAnswer } },
    kinds: ['resource', 'take-guard'],
    handle: guards.takeGuard,
  }),
  ofGuards({
    method: 'GET',
    path: '/v1/guards/{id}',
    summary: 'A guard that is held',
    params: wire.idPath,
    answers: { 200: { description: 'It is still held', schema: wire.guardAnswer } },
    kinds: ['guard', 'routed'],
    handle: guards.showGuard,
  }),
  ofGuards({
    method: 'POST',
    path: '/v1/guards/{id}/commit',
    summary: 'Tell that the transaction has committed; answers once readers see it',
    params: wire.idPath,
    answers: { 200: { description: 'It is published', schema: wire.guardCommitted } },
    kinds: ['guard', 'routed'],
    handle: guards.commitGuard,
  }),
  ofGuards({
    method: 'POST',
    path: '/v1/guards/{id}/rollback',
    summary: 'Tell that the transaction was rolled back, or give the guard up',
    params: wire.idPath,
    answers: { 204: { description: 'The keys are free' } },
    kinds: ['guard', 'routed'],
    handle: guards.rollbackGuard,
  }),
];

export const MEMBERS_PATH = '/v1/routing';
export const HOME_PATH = '/v1/routing/{resource}/{key}';
const ofRouting = rowsOf('Routing', 'service');
const routingEndpoints = [
  ofRouting({
    method: 'GET',
    path: MEMBERS_PATH,
    summary: 'The coordinators that live',
    answers: { 200: { description: 'As this one knows them', schema: wire.members } },
    handle: routing.answerMembers,
  }),
  ofRouting({
    method: 'GET',
    path: HOME_PATH,
    summary: 'Which coordinator is home for a key',
    params: wire.keyPath,
    answers: { 200: { description: 'Its home', schema: wire.home } },
    kinds: ['key'],
    handle: routing.answerHome,
  }),
];

const forEveryone = rowsOf('Probes and pages', null);
const probe = {
  200: { description: 'Yes', schema: wire.probeAnswer },
  503: { description: 'No', schema: wire.probeAnswer },
};
const openEndpoints = [
  // Probes have no pace: a flood of them through a proxy must not make the proxy's own probes fail.
  forEveryone({
    method: 'GET',
    path: '/livez',
    summary: 'Whether the process answers',
    answers: probe,
    handle: open.livez,
  }),
  forEveryone({
    method: 'GET',
    path: '/readyz',
    summary: 'Whether to send traffic here',
    query: wire.readyQuery,
    answers: probe,
    handle: open.readyz,
  }),
  forEveryone({
    method: 'GET',
    path: '/metrics',
    summary:
      'Prometheus text; where auth.tokens.metrics is set, for those who show that token, and for viewers',
    answers: { 200: { description: 'Metrics', schema: z.string(), mediaType: 'text/plain' } },
    kinds: ['paced', 'signed-in'],
    handle: open.metrics,
  }),
  forEveryone({
    method: 'GET',
    path: '/openapi.json',
    summary: 'This document',
    answers: { 200: { description: 'OpenAPI 3.1', schema: z.looseObject({}) } },
    kinds: ['paced'],
    handle: open.documentJson,
  }),
  forEveryone({
    method: 'GET',
    path: '/docs',
    summary: 'This document as a page',
    answers: { 200: { description: 'The page', schema: z.string(), mediaType: 'text/html' } },
    kinds: ['paced'],
    isPage: true,
    handle: open.documentPage,
  }),
  forEveryone({
    method: 'GET',
    path: '/docs/style.css',
    summary: 'The page’s style',
    answers: { 200: { description: 'The style', schema: z.string(), mediaType: 'text/css' } },
    kinds: ['paced'],
    isPage: true,
    handle: open.documentStyle,
  }),
];

export const ENDPOINTS: readonly Endpoint[] = [
  ...resourceEndpoints,
  ...tableEndpoints,
  ...setEndpoints,
  ...manyKeysEndpoints,
  ...leaseEndpoints,
  ...guardEndpoints,
  ...routingEndpoints,
  ...opsEndpoints,
  ...openEndpoints,
];
