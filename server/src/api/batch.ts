import type { JsonObject, JsonValue } from '@lockstep/shared';
import { type Key, LockstepError } from '../domain/index.ts';
import type { ReadOptions } from '../reads/port.ts';
import type { Answer } from './answer.ts';
import { isJsonObject } from './json-body.ts';
import type { Operations, WriteOp } from './operations.ts';
import {
  checkIdempotencyKey,
  checkLeaseId,
  type Preconditions,
  versionOfTag,
  waitTimeoutOf,
} from './preconditions.ts';
import { invalid, invalidField } from './problems.ts';
import { checkConsistency, checkVersion } from './resource-route.ts';
import { parseToken, type Token } from './token.ts';

interface BatchLimits {
  batchOperations: number;
  batchConcurrency: number;
}

interface Step {
  op: WriteOp | 'get';
  key: Key;
  operation: JsonObject;
}

const OPS = ['put', 'patch', 'delete', 'get'] as const;
const FIELDS = [
  'op',
  'resource',
  'key',
  'value',
  'ifMatch',
  'ifNoneMatch',
  'idempotencyKey',
  'timeout',
  'lease',
  'consistency',
  'minVersion',
  'token',
];

/**
 * Carries out independent operations and answers each as its single call would have been. Different keys run side by
 * side; operations on one key run in the order in which they stand.
 * @param failed the answer to an operation that failed
 * @throws LockstepError `INVALID`, `TOO_LARGE` where the batch itself is wrong; nothing of it has run then
 */
export async function runBatch(
  operations: Operations,
  body: JsonObject,
  limits: BatchLimits,
  failed: (cause: unknown) => Answer,
): Promise<Answer> {
  const list = operationList(body, limits.batchOperations);
  const results: object[] = [];
  const settle = (index: number, { status, body: result }: Answer): void => {
    results[index] = { status, ...result };
  };
  const lanes = new Map<string, (() => Promise<void>)[]>();
  for (const [index, operation] of list.entries()) {
    try {
      const step = stepOf(operations, operation);
      const lane = `${step.key.resource.name}/${step.key.text}`;
      const run = (): Promise<void> =>
        runStep(operations, step).then(
          (answer) => settle(index, answer),
          (cause: unknown) => settle(index, failed(cause)),
        );
      lanes.set(lane, [...(lanes.get(lane) ?? []), run]);
    } catch (cause) {
      settle(index, failed(cause));
    }
  }
  await runLanes([...lanes.values()], limits.batchConcurrency);
  return { status: 200, body: { results } };
}

async function runLanes(lanes: (() => Promise<void>)[][], concurrency: number): Promise<void> {
  const waiting = lanes.values();
  const work = async (): Promise<void> => {
    // Workers share one iterator: each takes the next key that nobody has taken.
    for (const lane of waiting) for (const run of lane) await run();
  };
  await Promise.all(Array.from({ length: Math.min(concurrency, lanes.length) }, work));
}

/** Async so that wrong conditions fail this operation alone, not the batch whose others have run. */
async function runStep(operations: Operations, { op, key, operation }: Step): Promise<Answer> {
  if (op === 'get') return operations.read(key, readOptions(operation), tokenOf(operation));
  return operations.write(op, key, operation['value'], conditionsOf(operation), 'value');
}

/** @throws LockstepError `INVALID`, `TOO_LARGE` */
export function operationList(body: JsonObject, max: number): JsonValue[] {
  const unknown = Object.keys(body).filter((name) => name !== 'operations');
  if (unknown.length > 0) {
    throw invalid(unknown.map((path) => ({ path, message: 'is not known; allowed: operations' })));
  }
  const list = body['operations'];
  if (!Array.isArray(list)) throw invalidField('operations', 'must be a list');
  if (list.length > max) {
    throw new LockstepError(
      'TOO_LARGE',
      `At most ${max} operations go together; these are ${list.length}.`,
    );
  }
  return list;
}

function stepOf(operations: Operations, operation: JsonValue): Step {
  if (!isJsonObject(operation)) throw invalidField('operation', 'must be an object');
  const unknown = Object.keys(operation).filter((name) => !FIELDS.includes(name));
  if (unknown.length > 0) {
    throw invalid(
      unknown.map((path) => ({ path, message: `is not known; allowed: ${FIELDS.join(', ')}` })),
    );
  }
  const op = OPS.find((name) => name === operation['op']);
  if (op === undefined) throw invalidField('op', `must be one of ${OPS.join(', ')}`);
  return { op, key: operations.keyInBody(operation['resource'], operation['key']), operation };
}

/** @throws LockstepError `INVALID`, `UNKNOWN_LEASE` */
export function conditionsOf(operation: JsonObject): Preconditions {
  const { ifMatch, ifNoneMatch, idempotencyKey, timeout, lease } = operation;
  const token = tokenOf(operation);
  const conditions: Preconditions = {};
  if (ifMatch !== undefined) {
    const isTag = typeof ifMatch === 'string' && ifMatch.startsWith('"');
    conditions.ifMatch = isTag
      ? versionOfTag('ifMatch', ifMatch)
      : checkVersion('ifMatch', ifMatch);
  }
  if (ifNoneMatch !== undefined) {
    if (ifNoneMatch !== '*') throw invalidField('ifNoneMatch', 'must be *');
    conditions.onlyCreate = true;
  }
  if (idempotencyKey !== undefined) {
    conditions.idempotencyKey = checkIdempotencyKey('idempotencyKey', idempotencyKey);
  }
  if (token !== undefined) conditions.token = token;
  if (lease !== undefined) conditions.leaseId = checkLeaseId(lease);
  if (timeout !== undefined) conditions.waitTimeoutMs = waitTimeoutOf('timeout', timeout);
  return conditions;
}

const tokenOf = ({ token }: JsonObject): Token | undefined =>
  token === undefined ? undefined : parseToken('token', token);

function readOptions({ consistency, minVersion }: JsonObject): ReadOptions {
  const options: ReadOptions = {};
  if (consistency !== undefined) options.consistency = checkConsistency('consistency', consistency);
  if (minVersion !== undefined) options.minVersion = checkVersion('minVersion', minVersion);
  return options;
}
