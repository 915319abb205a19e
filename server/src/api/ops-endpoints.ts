/** The operators' part of the table of endpoints: viewers look, operators act, admins change what is configured. */
import * as operators from '@lockstep/shared/ops';
import type { z } from 'zod';
import { checkedBody, type Endpoint, rowsOf } from './endpoint.ts';
import * as ops from './ops.ts';
import * as wire from './schemas.ts';

const TAG = 'Operators';
const forViewers = rowsOf(TAG, 'viewer');
const forOperators = rowsOf(TAG, 'operator');
/** Their handlers look whether the scope is for the resource that they name. */
const onResources = rowsOf(TAG, 'operator', ['operate']);
const forAdmins = rowsOf(TAG, 'admin');
const done = (schema: z.ZodType) => ({ 200: { description: 'Done', schema } });

export const opsEndpoints: readonly Endpoint[] = [
  forViewers({
    method: 'GET',
    path: '/v1/ops/session',
    summary: 'Who answers: instance and version',
    answers: done(operators.session),
    handle: ops.session,
  }),
  forViewers({
    method: 'GET',
    path: '/v1/ops/resources',
    summary: 'The configured resources',
    answers: done(operators.resources),
    handle: ops.resources,
  }),
  forViewers({
    method: 'GET',
    path: '/v1/ops/audits',
    summary: 'Runs, newest first',
    query: operators.runsQuery,
    answers: done(operators.auditRuns),
    kinds: ['query', 'database'],
    handle: ops.auditRuns,
  }),
  onResources({
    method: 'POST',
    path: '/v1/ops/audits',
    summary: 'Run an audit now; answers when it has ended',
    body: checkedBody(operators.auditBody),
    answers: done(operators.auditReport),
    kinds: ['resource', 'database', 'cache'],
    handle: ops.runAudit,
  }),
  forAdmins({
    method: 'POST',
    path: '/v1/ops/reload',
    summary: 'Follow the configuration as it is now; a wrong one changes nothing',
    answers: done(operators.reloadReport),
    kinds: ['query', 'database'],
    handle: ops.reload,
  }),
  forViewers({
    method: 'GET',
    path: '/v1/ops/refreshes',
    summary: 'Refreshed tables: last run, what readers see, next run',
    answers: done(operators.refreshStates),
    kinds: ['database', 'cache'],
    handle: ops.refreshes,
  }),
  onResources({
    method: 'POST',
    path: '/v1/ops/refreshes',
    summary: 'Refresh a table now; answers when it has ended',
    body: checkedBody(operators.refreshBody),
    answers: done(operators.refreshReport),
    kinds: ['resource', 'database', 'cache'],
    handle: ops.runRefresh,
  }),
  forViewers({
    method: 'GET',
    path: '/v1/ops/rollout',
    summary: 'Resources in rollout shadow: what was stale, as this coordinator has seen it',
    answers: done(operators.rolloutReports),
    kinds: [],
    handle: ops.rollout,
  }),
  onResources({
    method: 'POST',
    path: '/v1/ops/sweeps',
    summary: 'Remove every entry of the resources, or of one; answers when it has ended',
    body: checkedBody(operators.sweepBody),
    answers: done(operators.sweepReport),
    kinds: ['resource', 'cache'],
    handle: ops.sweep,
  }),
  forViewers({
    method: 'GET',
    path: '/v1/ops/findings',
    summary: 'Findings, newest first',
    query: operators.findingsQuery,
    answers: done(operators.findings),
    kinds: ['query', 'database'],
    handle: ops.findings,
  }),
  forOperators({
    method: 'POST',
    path: '/v1/ops/findings/{id}/repair',
    summary: 'Repair one finding',
    params: wire.idPath,
    body: checkedBody(operators.repairBody),
    answers: done(operators.finding),
    kinds: ['item', 'database', 'cache'],
    handle: ops.repairFinding,
  }),
  forViewers({
    method: 'GET',
    path: '/v1/ops/keys/{resource}/{key}',
    summary: 'Row, entry, lock and recent events of a key',
    params: wire.keyPath,
    answers: done(operators.keyInspection),
    kinds: ['key', 'item'],
    handle: ops.inspectKey,
  }),
  forViewers({
    method: 'GET',
    path: '/v1/ops/outbox/dead',
    summary: 'Dead letters',
    query: operators.deadLettersQuery,
    answers: done(operators.deadLetters),
    kinds: ['query', 'database'],
    handle: ops.deadLetters,
  }),
  forOperators({
    method: 'POST',
    path: '/v1/ops/outbox/dead/{id}',
    summary: 'Retry or discard a dead letter',
    params: wire.idPath,
    body: checkedBody(operators.deadLetterBody),
    answers: done(operators.deadLetterClosed),
    kinds: ['item', 'database'],
    handle: ops.closeDeadLetter,
  }),
  forOperators({
    method: 'POST',
    path: '/v1/ops/demo/drift',
    summary: 'Make drift on purpose (demo only)',
    body: checkedBody(operators.driftBody),
    answers: done(operators.driftReport),
    kinds: ['resource', 'item', 'database', 'cache'],
    handle: ops.makeDrift,
  }),
];
