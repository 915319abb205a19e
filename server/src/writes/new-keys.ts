/**
 * The keys of rows that are to be inserted (docs/decisions/0035-keys-the-database-makes.md).
 *
 *   look for the outcome of the idempotency key -> have the database make the key -> an ordinary put that only creates
 *
 * So a key is known before anything that hangs on it: its lock, its intent, the row of its version, its outbox row. A
 * repeat is found before a key is made. If two calls with one idempotency key find nothing, each gets a key, one of them
 * is applied, and the other one answers the key of that one (`isNewKey`).
 */
import type { DatabaseRefusal, IdempotencyRecord } from '../database/port.ts';
import {
  invalidField,
  type Key,
  keyFromRowText,
  keyFromText,
  keyOfParts,
  type LockstepError,
  type NewKeys,
  type NewKeysRequest,
  type Resource,
} from '../domain/index.ts';
import { atOperation } from './held-keys.ts';
import type { WriteServiceOptions } from './options.ts';
import { reused } from './receipts.ts';
import { refusalError } from './refusals.ts';

type Options = Pick<WriteServiceOptions, 'rows'>;
type AskedRow = NewKeysRequest['rows'][number];

export async function newKeys(options: Options, request: NewKeysRequest): Promise<NewKeys> {
  const repeated = await recordedKeys(options, request);
  if (repeated !== null) return repeated;
  const keys: Key[] = [];
  for (const row of request.rows) {
    const made = await options.rows.makeKey(row);
    if (made.status === 'made') keys.push(made.key);
    else if (made.status === 'refused') return refused(options, request, row, made.refusal);
    else throw ofRow(row, invalidField(made.column, made.why));
  }
  return { keys, areRepeated: false };
}

/**
 * The keys of an earlier request with the same idempotency key; null if there was none.
 * @throws LockstepError `IDEMPOTENCY_KEY_REUSED`, or the refusal that the earlier request got
 */
async function recordedKeys(
  { rows }: Options,
  { rows: asked, idempotency }: NewKeysRequest,
): Promise<NewKeys | null> {
  if (idempotency === undefined) return null;
  const record = await rows.findOutcome(idempotency.key);
  if (record === null) return null;
  if (record.requestHash !== idempotency.requestHash) throw reused();
  return { keys: asked.map((row) => recordedKey(row, record)), areRepeated: true };
}

function recordedKey({ resource, operation }: AskedRow, record: IdempotencyRecord): Key {
  const { result } = record;
  if (result.status === 'refused') {
    const error = refusalError(keyless(resource), result.refusal);
    throw result.index === undefined ? error : atOperation(error, result.index);
  }
  if (result.status === 'applied') return keyFromRowText(resource, record.keyText);
  const write = result.writes[operation ?? 0];
  if (write === undefined) throw reused();
  return keyFromText(resource, write.keyText);
}

/**
 * The database refuses the row. What stands in its way may be the very row that another call with the same idempotency
 * key has inserted meanwhile, so the outcome counts that was recorded first.
 */
async function refused(
  options: Options,
  request: NewKeysRequest,
  row: AskedRow,
  refusal: DatabaseRefusal,
): Promise<NewKeys> {
  const { idempotency } = request;
  const { resource, operation } = row;
  const whole = { ...refusal, currentVersion: 0 };
  // In a transaction the row may be refused only because another write of it is still to come: that is no outcome.
  if (idempotency !== undefined && operation === undefined)
    await options.rows.recordRefusal(keyless(resource), idempotency, whole);
  const repeated = await recordedKeys(options, request);
  if (repeated !== null) return repeated;
  throw ofRow(row, refusalError(keyless(resource), whole));
}

const ofRow = ({ operation }: AskedRow, error: LockstepError): unknown =>
  operation === undefined ? error : atOperation(error, operation);

/** Stands for a row that has no key yet where a refusal is recorded and answered. */
const keyless = (resource: Resource): Key =>
  keyOfParts(
    resource,
    resource.keyColumns.map(() => ''),
  );
