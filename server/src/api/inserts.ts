/**
 * Inserts. A row whose whole key stands in the body is a put that only creates. Where the database makes a part of the
 * key, it is asked for the key first (`WriteService.newKeys`), and the row is then put under it.
 */
import {
  type Change,
  columnOf,
  type Idempotency,
  invalidField,
  type Key,
  LockstepError,
  makeKey,
  type NewRow,
  type TransactedWrite,
  type TransactionRequest,
  type WriteReceipt,
  type WriteRequest,
} from '../domain/index.ts';
import type { Access } from '../identities/index.ts';
import type { WriteService } from '../writes/port.ts';
import { insertHash, type Preconditions, requestHash } from './preconditions.ts';

/** A row to be inserted. */
export interface AskedRow {
  row: NewRow;
  /** Null: the database makes it, or a part of it. */
  key: Key | null;
}

/** A write of a transaction whose row has no key yet. */
export interface KeylessWrite {
  newRow: NewRow;
}

/** A transaction some of whose rows may have no key yet. */
export interface AskedTransaction extends Omit<TransactionRequest, 'writes'> {
  writes: readonly (TransactedWrite | KeylessWrite)[];
}

/** The row's key, if all of it is given. @throws LockstepError `INVALID` */
export function wholeKey({ resource, parts }: NewRow): Key | null {
  const texts = resource.keyColumns.flatMap(({ name }) => columnOf(parts, name) ?? []);
  return texts.length === resource.keyColumns.length ? makeKey(resource, texts) : null;
}

/**
 * An insert whose key the database makes needs a scope for every key of the resource.
 * @throws LockstepError `FORBIDDEN` naming the scope that is missing
 */
export function assertInsert(access: Access, { row, key }: AskedRow): void {
  if (key === null) access.assertWhole('write', row.resource.name);
  else access.assertKey('write', key);
}

/** What makes an insert what it is: repeats with the same idempotency key must have the same hash. */
export const hashOfInsert = ({ row, key }: AskedRow): string =>
  key === null ? insertHash(row) : requestHash(key, changeOf(row), { onlyCreate: true });

/** @throws LockstepError `INVALID`, and those of `WriteService` */
export async function insertRow(
  writes: WriteService,
  asked: AskedRow,
  conditions: Preconditions,
): Promise<WriteReceipt> {
  const { row } = asked;
  const { idempotencyKey, waitTimeoutMs, leaseId } = conditions;
  assertInsertConditions(asked, conditions);
  const rest: Omit<WriteRequest, 'key'> = { change: changeOf(row) };
  if (waitTimeoutMs !== undefined) rest.waitTimeoutMs = waitTimeoutMs;
  if (leaseId !== undefined) rest.leaseId = leaseId;
  if (idempotencyKey !== undefined)
    rest.idempotency = { key: idempotencyKey, requestHash: hashOfInsert(asked) };
  if (asked.key !== null) return writes.write({ key: asked.key, ...rest });
  return underNewKey(async () => {
    const made = await writes.newKeys({ rows: [row], ...idempotencyOf(rest) });
    const [key] = made.keys;
    if (key === undefined) throw new LockstepError('INTERNAL', 'A new row got no key.');
    return writes.write({ key, ...rest, ...(made.areRepeated ? {} : { isNewKey: true }) });
  });
}

/** @throws LockstepError as `WriteService.transact`; each row that the database makes a key for has one first */
export async function transactWithInserts(
  writes: WriteService,
  { writes: asked, ...whole }: AskedTransaction,
): Promise<WriteReceipt[]> {
  const keyless = asked.flatMap((each, operation) =>
    'newRow' in each ? [{ ...each.newRow, operation }] : [],
  );
  if (keyless.length === 0) return writes.transact({ ...whole, writes: asked.filter(hasKey) });
  return underNewKey(async () => {
    const made = await writes.newKeys({ rows: keyless, ...idempotencyOf(whole) });
    const keyOf = new Map(keyless.map(({ operation }, place) => [operation, made.keys[place]]));
    const all = asked.map((each, operation): TransactedWrite => {
      if (hasKey(each)) return each;
      const key = keyOf.get(operation);
      if (key === undefined) throw new LockstepError('INTERNAL', 'A new row got no key.');
      const isNew = made.areRepeated ? {} : { isNewKey: true as const };
      return { key, change: changeOf(each.newRow), ...isNew };
    });
    if (new Set(all.map(({ key }) => key.lockKey)).size < all.length) throw isThere();
    return writes.transact({ ...whole, writes: all });
  }, keyless);
}

const hasKey = (each: TransactedWrite | KeylessWrite): each is TransactedWrite => 'key' in each;

export const changeOf = ({ set }: NewRow): Change => ({ op: 'put', set, onlyCreate: true });

const idempotencyOf = ({ idempotency }: { idempotency?: Idempotency }) =>
  idempotency === undefined ? {} : { idempotency };

/** @throws LockstepError `INVALID` */
export function assertInsertConditions(
  { key }: AskedRow,
  { ifMatch, leaseId }: Preconditions,
): void {
  if (ifMatch !== undefined)
    throw invalidField('If-Match', 'does not go with an insert: no such row is there yet');
  if (leaseId !== undefined && key === null)
    throw invalidField(
      'Lockstep-Lease',
      'goes with an insert only if its body gives the whole key',
    );
}

/**
 * Numbers that the database makes can be behind the rows that are there. The caller named no version, so a row in the
 * way is what it is to any insert: a constraint.
 * @param keyless the writes of a transaction that this may have befallen; absent: the only write
 */
async function underNewKey<T>(
  write: () => Promise<T>,
  keyless?: readonly { operation: number }[],
): Promise<T> {
  try {
    return await write();
  } catch (error) {
    if (!(error instanceof LockstepError) || error.code !== 'VERSION_MISMATCH') throw error;
    const { operation } = error.details;
    if (keyless?.every((each) => each.operation !== operation) === true) throw error;
    throw isThere(operation);
  }
}

const isThere = (operation?: number): LockstepError =>
  new LockstepError(
    'CONSTRAINT',
    `${operation === undefined ? '' : `Operation ${operation}: `}The database made a key that another row has: its numbers are behind its rows. Nothing was applied.`,
    { details: { constraint: 'key', ...(operation === undefined ? {} : { operation }) } },
  );
