/** `/v1/ops`: what operators do and see. */
import type { ResourceSummary } from '@lockstep/shared';
import type * as wire from '@lockstep/shared/ops';
import type { z } from 'zod';
import {
  invalidField,
  isComputed,
  isDerived,
  isInShadow,
  isUnderstood,
  isQuery,
  LockstepError,
  type Resource,
} from '../domain/index.ts';
import { ALL_RESOURCES } from '../identities/index.ts';
import type { Answer } from './answer.ts';
import { type ApiServices, type EndpointCall, splitUrl } from './endpoint.ts';

/** A call without body and query. */
type Plain = EndpointCall<undefined, undefined>;
type WithBody<Schema extends z.ZodType> = EndpointCall<z.output<Schema>, undefined>;
type WithQuery<Schema extends z.ZodType> = EndpointCall<undefined, z.output<Schema>>;

export const session = ({ options }: ApiServices): Answer => ok(options.ops.session());

export function resources({ options }: ApiServices): Answer {
  const all = [...options.resources.values()].map((resource) => ({
    ...summaryOf(resource),
    ...(options.ops.isSwitching(resource) ? { isSwitching: true } : {}),
  }));
  return ok({ resources: all });
}

export const auditRuns = async (
  { options }: ApiServices,
  call: WithQuery<typeof wire.runsQuery>,
): Promise<Answer> => ok({ runs: await options.ops.audits.runs(given(call.query())) });

/** Repairs where it is asked to: by the resource's rule, or by a refresh where that rule only reports. */
export async function runAudit(
  { options, operations }: ApiServices,
  call: WithBody<typeof wire.auditBody>,
): Promise<Answer> {
  const { resource: name, sample, repair } = await call.body();
  const resource = operations.resource(name);
  call.call.access.assertOperates(name);
  if (isComputed(resource))
    throw invalidField('resource', 'is computed: there is nothing to compare its entries with');
  if (!isUnderstood(resource))
    throw invalidField(
      'resource',
      'has entries that only the service understands (format opaque, or rollout invalidate): they cannot be compared',
    );
  const rule = resource.audit?.repair ?? 'report';
  const chosen = rule === 'report' ? 'refresh' : rule;
  const run = {
    trigger: 'demand' as const,
    repair: repair === true ? chosen : ('report' as const),
  };
  const { audits } = options.ops;
  return ok(await audits.run(resource, sample === undefined ? run : { ...run, sample }));
}

export const reload = async ({ options }: ApiServices): Promise<Answer> =>
  ok(await options.ops.reload());

export const rollout = ({ options }: ApiServices): Promise<Answer> =>
  Promise.resolve(ok({ shadow: options.ops.staleWatch.report() }));

export const refreshes = async ({ options }: ApiServices): Promise<Answer> =>
  ok({ refreshes: await options.ops.refreshes.overview() });

export async function runRefresh(
  { options, operations }: ApiServices,
  call: WithBody<typeof wire.refreshBody>,
): Promise<Answer> {
  const resource = operations.resource((await call.body()).resource);
  call.call.access.assertOperates(resource.name);
  if (resource.refresh === null) throw invalidField('resource', 'must be one of policy refresh');
  return ok(await options.ops.refreshes.run(resource, 'demand'));
}

export async function sweep(
  { options, operations }: ApiServices,
  call: WithBody<typeof wire.sweepBody>,
): Promise<Answer> {
  const { resource } = await call.body();
  call.call.access.assertOperates(resource ?? ALL_RESOURCES);
  if (resource === undefined) return ok(await options.ops.sweep([...options.resources.values()]));
  const named = operations.resource(resource);
  if (isInShadow(named))
    throw invalidField('resource', 'is in rollout shadow, in which no entry is changed');
  return ok(await options.ops.sweep([named]));
}

export async function findings(
  { options }: ApiServices,
  call: WithQuery<typeof wire.findingsQuery>,
): Promise<Answer> {
  return ok(await options.ops.audits.findings(given(call.query())));
}

export async function repairFinding(
  { options }: ApiServices,
  call: WithBody<typeof wire.repairBody>,
): Promise<Answer> {
  const { rule } = await call.body();
  return ok(await options.ops.audits.repairFinding(call.param('id'), rule));
}

/** The key's parts must still be percent-encoded when they are split, and express has decoded its parameters. */
export async function inspectKey(
  { options, operations }: ApiServices,
  { request }: Plain,
): Promise<Answer> {
  const [resource = '', key = ''] = splitUrl(request.url ?? '')
    .path.split('/')
    .slice(-2);
  return ok(await options.ops.inspectKey(operations.keyInPath(resource, key)));
}

export const deadLetters = async (
  { options }: ApiServices,
  call: WithQuery<typeof wire.deadLettersQuery>,
): Promise<Answer> =>
  ok({ deadLetters: await options.ops.deadLetters.deadLetters(call.query().limit) });

export async function closeDeadLetter(
  { options }: ApiServices,
  call: WithBody<typeof wire.deadLetterBody>,
): Promise<Answer> {
  const { action } = await call.body();
  const id = call.param('id');
  const letters = options.ops.deadLetters;
  const isDone =
    action === 'retry' ? await letters.retryDeadLetter(id) : await letters.discardDeadLetter(id);
  if (isDone) return ok({ id, action });
  throw new LockstepError('NOT_FOUND', 'There is no such dead letter.');
}

export async function makeDrift(
  { options, operations }: ApiServices,
  call: WithBody<typeof wire.driftBody>,
): Promise<Answer> {
  const { demo } = options.ops;
  if (demo === null)
    throw new LockstepError('NOT_FOUND', 'The demo does not run in this instance.');
  const { resource, count, kind } = await call.body();
  return ok(await demo.makeDrift(operations.resource(resource), count, kind));
}

function summaryOf(resource: Resource): ResourceSummary {
  const { name, table, keyColumns, policy, format, rollout, cacheKey, ttlMs, audit } = resource;
  return {
    resource: name,
    table,
    ...(isQuery(resource) ? { query: resource.derivation.source.text.source } : {}),
    ...(isDerived(resource)
      ? { dependsOn: [...new Set(resource.derivation.dependsOn.map((each) => each.table))] }
      : {}),
    key: keyColumns.map((column) => column.name),
    policy,
    format,
    rollout,
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

/** Without the fields that are undefined: to a port an absent field and an undefined one differ. */
function given<T extends object>(value: T): Given<T> {
  return Object.fromEntries(
    Object.entries(value).filter(([, inner]) => inner !== undefined),
  ) as Given<T>;
}
type Given<T> = { [Name in keyof T]: Exclude<T[Name], undefined> };

const ok = (body: object): Answer => ({ status: 200, body });
