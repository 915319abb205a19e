/** `PATCH` and `DELETE /v1/resources/{resource}?where=…`: a change of all rows that match a filter. */
import type { CacheOutcome, JsonValue } from '@lockstep/shared';
import {
  assertHasRows,
  invalid,
  invalidField,
  keyAsJson,
  type Resource,
  type SetReceipt,
  type SetRequest,
} from '../domain/index.ts';
import { type Answer, TOKEN_HEADER } from './answer.ts';
import type { ApiServices, EndpointCall } from './endpoint.ts';
import { preconditionsOf, setHash } from './preconditions.ts';
import { afterWrite, NOTHING_SEEN, type Token, tokenText } from './token.ts';
import { filterOf } from './where.ts';
import { patchChange } from './write-body.ts';

interface SetQuery {
  where: string;
}

/** Changes some columns of the rows that match. */
export async function patchSet(
  api: ApiServices,
  asked: EndpointCall<Record<string, JsonValue>, SetQuery>,
): Promise<Answer> {
  const resource = resourceOf(api, asked);
  const { change, repeated } = patchChange({ resource }, await asked.body());
  if (change.op !== 'patch') throw new TypeError('A patch makes a patch.');
  if (repeated !== null)
    throw invalid(
      Object.keys(repeated).map((path) => ({
        ...{ path, message: 'is computed by the database; leave it out' },
      })),
    );
  return runSet(api, asked, resource, change);
}

/** Deletes the rows that match. */
export async function deleteSet(
  api: ApiServices,
  asked: EndpointCall<undefined, SetQuery>,
): Promise<Answer> {
  return runSet(api, asked, resourceOf(api, asked), { op: 'delete' });
}

function resourceOf(
  { operations }: ApiServices,
  asked: Pick<EndpointCall<unknown, SetQuery>, 'param' | 'call'>,
): Resource {
  const resource = operations.resource(asked.param('resource'));
  asked.call.access.assertWhole('write', resource.name);
  assertHasRows(resource);
  return resource;
}

async function runSet(
  { options, writes }: ApiServices,
  asked: Pick<EndpointCall<unknown, SetQuery>, 'request' | 'query' | 'call'>,
  resource: Resource,
  change: SetRequest['change'],
): Promise<Answer> {
  const { ifMatch, onlyCreate, leaseId, idempotencyKey, waitTimeoutMs, token } = preconditionsOf(
    asked.request.headers,
  );
  const alone = 'goes with a call of one key; a set waits for the leases of its keys';
  if (ifMatch !== undefined) throw invalidField('If-Match', alone);
  if (onlyCreate !== undefined) throw invalidField('If-None-Match', alone);
  if (leaseId !== undefined) throw invalidField('Lockstep-Lease', alone);
  const where = filterOf(resource, asked.query().where);
  const request: SetRequest = {
    ...{ resource, where, change, most: options.limits.transactionOperations },
  };
  if (waitTimeoutMs !== undefined) request.waitTimeoutMs = waitTimeoutMs;
  if (idempotencyKey !== undefined)
    request.idempotency = { key: idempotencyKey, requestHash: setHash(request) };
  const receipt = await writes.run(asked.call.caller, () => options.writes.writeSet(request));
  return setAnswer(receipt, token);
}

function setAnswer({ receipts, replayed }: SetReceipt, before: Token | undefined): Answer {
  const token = tokenText(
    receipts.reduce((seen, receipt) => afterWrite(receipt, seen), before ?? NOTHING_SEEN),
  );
  const headers: Record<string, string> = { [TOKEN_HEADER]: token };
  if (replayed) headers['Idempotent-Replayed'] = 'true';
  const body = {
    outcome: 'applied',
    affected: receipts.length,
    keys: receipts.map(({ key }) => keyAsJson(key)),
    versions: receipts.map(({ version }) => version),
    cache: leastOf(receipts.map(({ cache }) => cache)),
    token,
  };
  return { status: 200, headers, body };
}

/** From what promises least to what promises most. */
const BY_PROMISE: readonly CacheOutcome[] = ['pending', 'invalidated', 'fresh', 'none'];

/** What holds of every row. */
const leastOf = (outcomes: readonly CacheOutcome[]): CacheOutcome =>
  BY_PROMISE.find((outcome) => outcomes.includes(outcome)) ?? 'none';
