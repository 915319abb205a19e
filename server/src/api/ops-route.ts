import type { AuditRequest, ResourceSummary } from '@lockstep/shared';
import express, { type Request, type Router } from 'express';
import type { z } from 'zod';
import type { FindingFilter } from '../audits/port.ts';
import { isDerived, LockstepError, type Resource } from '../domain/index.ts';
import type { Answer } from './answer.ts';
import type { EndpointFrame } from './endpoint.ts';
import { readJson } from './json-body.ts';
import type { Operations } from './operations.ts';
import {
  auditRequest,
  deadLetterRequest,
  deadQuery,
  driftRequest,
  findingsQuery,
  refreshRequest,
  repairRequest,
  runsQuery,
  sweepRequest,
} from './ops-requests.ts';
import type { ApiParts } from './ports.ts';
import { invalidField } from './problems.ts';
import { checkShape } from './shapes.ts';
import { splitUrl } from './resource-route.ts';

type OpsParts = Pick<ApiParts, 'resources' | 'ops' | 'limits'>;

/** `/v1/ops`: what operators do and see; admin token. The calls are listed in `shared/src/ops.ts`. */
export function opsRouter(parts: OpsParts, operations: Operations, frame: EndpointFrame): Router {
  const { ops, limits } = parts;
  const router = express.Router();
  const body = (request: Request) => readJson(request, limits.bodyBytes);

  const endpoints: Endpoints = {
    '/session': { get: () => ok(ops.session()) },
    '/resources': {
      get: () =>
        ok({
          resources: [...parts.resources.values()].map((resource) => ({
            ...summaryOf(resource),
            ...(ops.isSwitching(resource) ? { isSwitching: true } : {}),
          })),
        }),
    },
    '/audits': {
      get: async (request) =>
        ok({ runs: await ops.audits.runs(given(checkShape(runsQuery, request.query))) }),
      post: async (request) => {
        const asked = checkShape(auditRequest, await body(request));
        return runAudit(ops, operations.resource(asked.resource), given(asked));
      },
    },
    '/reload': { post: async () => ok(await ops.reload()) },
    '/refreshes': {
      get: async () => ok({ refreshes: await ops.refreshes.overview() }),
      post: async (request) => {
        const asked = checkShape(refreshRequest, await body(request));
        const resource = operations.resource(asked.resource);
        if (resource.refresh === null)
          throw invalidField('resource', 'must be one of policy refresh');
        return ok(await ops.refreshes.run(resource, 'demand'));
      },
    },
    '/sweeps': {
      post: async (request) => {
        const { resource } = checkShape(sweepRequest, await body(request));
        const named = resource === undefined ? null : [operations.resource(resource)];
        return ok(await ops.sweep(named ?? [...parts.resources.values()]));
      },
    },
    '/findings': {
      get: async (request) =>
        ok(await ops.audits.findings(filterOf(checkShape(findingsQuery, request.query)))),
    },
    '/findings/:id/repair': {
      post: async (request) => {
        const { rule } = checkShape(repairRequest, await body(request));
        return ok(await ops.audits.repairFinding(parameter(request, 'id'), rule));
      },
    },
    '/keys/:resource/:key': {
      get: async (request) => ok(await ops.inspectKey(keyOf(request, operations))),
    },
    '/outbox/dead': {
      get: async (request) =>
        ok({
          deadLetters: await ops.deadLetters.deadLetters(
            checkShape(deadQuery, request.query).limit,
          ),
        }),
    },
    '/outbox/dead/:id': {
      post: async (request) => {
        const { action } = checkShape(deadLetterRequest, await body(request));
        return settleDeadLetter(ops, parameter(request, 'id'), action);
      },
    },
    '/demo/drift': {
      post: async (request) => {
        if (ops.demo === null)
          throw new LockstepError('NOT_FOUND', 'The demo does not run in this instance.');
        const { resource, count, kind } = checkShape(driftRequest, await body(request));
        return ok(await ops.demo.makeDrift(operations.resource(resource), count, kind));
      },
    },
  };
  mount(router, endpoints, frame);
  return router;
}

type Endpoint = (request: Request) => Answer | Promise<Answer>;
type Endpoints = Record<string, { get?: Endpoint; post?: Endpoint }>;

function mount(router: Router, endpoints: Endpoints, frame: EndpointFrame): void {
  for (const [path, methods] of Object.entries(endpoints)) {
    const allow = Object.keys(methods)
      .map((name) => name.toUpperCase())
      .join(', ');
    router.all(path, (request, response) =>
      frame.serve(request, response, 'admin', async (_request, { requestId }) => {
        const method = request.method === 'HEAD' ? 'GET' : request.method;
        const endpoint =
          method === 'GET' ? methods.get : method === 'POST' ? methods.post : undefined;
        return endpoint === undefined
          ? frame.methodNotAllowed(allow, requestId)
          : endpoint(request);
      }),
    );
  }
}

async function runAudit(
  ops: OpsParts['ops'],
  resource: Resource,
  { sample, repair }: AuditRequest,
): Promise<Answer> {
  const rule = resource.audit?.repair ?? 'report';
  const chosen = rule === 'report' ? 'refresh' : rule;
  const options = {
    trigger: 'demand' as const,
    repair: repair === true ? chosen : ('report' as const),
  };
  return ok(
    await ops.audits.run(resource, sample === undefined ? options : { ...options, sample }),
  );
}

async function settleDeadLetter(
  ops: OpsParts['ops'],
  letter: string,
  action: 'retry' | 'discard',
): Promise<Answer> {
  const { deadLetters } = ops;
  const done =
    action === 'retry'
      ? await deadLetters.retryDeadLetter(letter)
      : await deadLetters.discardDeadLetter(letter);
  if (done) return ok({ id: letter, action });
  throw new LockstepError('NOT_FOUND', 'There is no such dead letter.');
}

function filterOf({ run, ...rest }: z.output<typeof findingsQuery>): FindingFilter {
  return given(run === undefined ? rest : { ...rest, runId: run });
}

/** Express has decoded the parameters; a key is split at its bare commas before that. */
function keyOf(request: Request, operations: Operations) {
  const [resource = '', key = ''] = splitUrl(request.originalUrl).path.split('/').slice(-2);
  return operations.keyInPath(resource, key);
}

function summaryOf(resource: Resource): ResourceSummary {
  const { name, table, keyColumns, policy, format, cacheKey, ttlMs, audit } = resource;
  return {
    resource: name,
    table,
    ...(isDerived(resource)
      ? {
          query: resource.query.text.source,
          dependsOn: [...new Set(resource.query.dependsOn.map((each) => each.table))],
        }
      : {}),
    key: keyColumns.map((column) => column.name),
    policy,
    format,
    cacheKey: cacheKey.text,
    ttlMs,
    audit: audit && {
      every: 'cron' in audit.when ? audit.when.cron : `${audit.when.everyMs / 1000}s`,
      sample: audit.sample,
      graceMs: audit.graceMs,
      repair: audit.repair,
    },
  };
}

const parameter = (request: Request, name: string): string => String(request.params[name] ?? '');

/** Without the fields that are undefined: to a port an absent field and an undefined one differ. */
function given<T extends object>(value: T): Given<T> {
  return Object.fromEntries(
    Object.entries(value).filter(([, inner]) => inner !== undefined),
  ) as Given<T>;
}
type Given<T> = { [Name in keyof T]: Exclude<T[Name], undefined> };

const ok = (body: object): Answer => ({ status: 200, body });
