import { createHash } from 'node:crypto';
import type { IncomingHttpHeaders } from 'node:http';
import type { FieldFault, JsonObject, JsonValue } from '@lockstep/shared';
import {
  invalid,
  invalidField,
  type Key,
  LockstepError,
  type TransactedWrite,
  type TransactionRequest,
} from '../domain/index.ts';
import type { Access } from '../identities/index.ts';
import type { Answer } from './answer.ts';
import { askedOperation, assertAllowed, conditionsOf, operationList } from './batch.ts';
import { refusedBesideIdempotencyKey, type RepeatedColumns } from './computed-columns.ts';
import type { ApiServices, EndpointCall } from './endpoint.ts';
import { assertInsertConditions, changeOf, hashOfInsert, type KeylessWrite } from './inserts.ts';
import { type Operations, WRITE_OPS, writeRequest } from './operations.ts';
import {
  checkIdempotencyKey,
  checkLeaseId,
  requestHash,
  tokenIn,
  waitTimeoutOf,
} from './preconditions.ts';
import { transactionOperation } from './schemas.ts';

const OPS = [...WRITE_OPS, 'insert'] as const;
const FIELDS_NOTE = ' (an idempotency key, a timeout and leases are headers)';

interface ParsedOperation {
  write: TransactedWrite | KeylessWrite;
  repeated: RepeatedColumns | null;
  /** Null: the database makes the key. */
  key: Key | null;
  hash: string;
}

/**
 * Carries out all operations or none. Headers hold what applies to the whole: `Idempotency-Key`, `Lockstep-Timeout`, and
 * `Lockstep-Lease` with the leases that hold some of the keys, separated by commas.
 * @throws LockstepError if one operation is wrong or refused; `details.operation` is its index, and nothing is applied
 */
export async function runTransaction(
  { operations, options }: ApiServices,
  asked: EndpointCall<JsonObject, undefined>,
): Promise<Answer> {
  const { headers } = asked.request;
  const list = operationList(await asked.body(), options.limits.transactionOperations);
  if (list.length === 0) throw invalidField('operations', 'must hold at least one operation');
  const parsed = parseAll(operations, asked.call.access, list);
  const writes = parsed.map(({ write }) => write);
  const whole = wholeOf(headers, parsed);
  const repeated = parsed.flatMap((one, index) =>
    one.repeated === null ? [] : { ...one.repeated, prefix: `operations.${index}.value` },
  );
  if (whole.idempotency !== undefined && repeated.length > 0)
    throw invalid(repeated.flatMap(refusedBesideIdempotencyKey));
  return operations.transact({ writes, ...whole }, repeated, tokenIn(headers), asked.call.caller);
}

function wholeOf(
  headers: IncomingHttpHeaders,
  parsed: readonly ParsedOperation[],
): Omit<TransactionRequest, 'writes'> {
  const whole: Omit<TransactionRequest, 'writes'> = {};
  for (const name of ['if-match', 'if-none-match'] as const) {
    if (headers[name] !== undefined) throw invalidField(name, 'goes with each operation here');
  }
  const idempotencyKey = headers['idempotency-key'];
  if (idempotencyKey !== undefined) {
    whole.idempotency = {
      key: checkIdempotencyKey('Idempotency-Key', idempotencyKey),
      requestHash: hashOf(parsed),
    };
  }
  const timeout = headers['lockstep-timeout'];
  if (timeout !== undefined) whole.waitTimeoutMs = waitTimeoutOf('Lockstep-Timeout', timeout);
  const leases = headers['lockstep-lease'];
  if (leases !== undefined) {
    whole.leaseIds = [leases]
      .flat()
      .join(',')
      .split(',')
      .map((id) => checkLeaseId(id.trim()));
  }
  return whole;
}

function hashOf(parsed: readonly ParsedOperation[]): string {
  const hash = createHash('sha256').update('transaction');
  for (const one of parsed) hash.update('\n').update(one.hash);
  return hash.digest('base64url');
}

/** @throws LockstepError `INVALID` with every wrong field of every operation */
function parseAll(
  operations: Operations,
  access: Access,
  list: readonly JsonValue[],
): ParsedOperation[] {
  const faults: FieldFault[] = [];
  const parsed: ParsedOperation[] = [];
  const places = new Map<string, number>();
  for (const [index, operation] of list.entries()) {
    try {
      const one = parseOne(operations, access, operation);
      const lockKey = one.key?.lockKey;
      const before = lockKey === undefined ? undefined : places.get(lockKey);
      if (before !== undefined) {
        throw invalidField(
          'key',
          `is already the key of operations.${before}; each key may occur once`,
        );
      }
      if (lockKey !== undefined) places.set(lockKey, index);
      parsed.push(one);
    } catch (error) {
      if (!(error instanceof LockstepError)) throw error;
      if (error.code !== 'INVALID')
        throw error.with(`Operation ${index}: ${error.message}`, {
          ...error.details,
          operation: index,
        });
      for (const { path, message } of error.details.errors ?? []) {
        faults.push({ path: `operations.${index}.${path}`, message });
      }
    }
  }
  if (faults.length > 0) throw invalid(faults);
  return parsed;
}

function parseOne(operations: Operations, access: Access, value: JsonValue): ParsedOperation {
  const one = askedOperation(operations, value, {
    ...{ schema: transactionOperation, ops: OPS, note: FIELDS_NOTE },
  });
  assertAllowed(access, one);
  const conditions = conditionsOf(one.operation);
  if (one.op === 'insert') {
    const { row, key } = one.asked;
    assertInsertConditions(one.asked, conditions);
    const write = key === null ? { newRow: row } : { key, change: changeOf(row) };
    return { write, repeated: null, key, hash: hashOfInsert(one.asked) };
  }
  const { key } = one;
  const { value: body } = one.operation;
  const { request, repeated } = writeRequest(one.op, key, body, conditions, 'value');
  return { write: request, repeated, key, hash: requestHash(key, request.change, conditions) };
}
