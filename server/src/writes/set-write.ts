/**
 * Changes the rows that match a filter, all or none.
 *
 *   find the keys (primary) -> a transaction of all their writes, in which each row is locked and must match
 *     some do not match any more -> nothing was applied; the same without them
 *
 * Invariants kept here:
 *   W24  a row is changed only if it matches when it is locked, in the transaction that changes it; each change is a write
 *        of its key as any other, and all of them are applied or none
 *   W25  never more rows than the bound
 */
import type { IdempotencyRecord } from '../database/port.ts';
import {
  assertHasRows,
  type Key,
  keyFromRowText,
  keyFromText,
  LockstepError,
  type SetReceipt,
  type SetRequest,
  type TransactionRequest,
  type WritePhases,
  type WriteReceipt,
} from '../domain/index.ts';
import type { WriteServiceOptions } from './options.ts';
import { transactReaching, withoutOperation } from './reaching-write.ts';
import { replayTogether, reused } from './receipts.ts';
import { refusalError } from './refusals.ts';
import { RepeatedSet, transact, Unmatched } from './transaction.ts';

export interface SetWrite {
  /** The rows that were last tried, for reports of a failure. */
  tried: readonly Key[];
  run(): Promise<SetReceipt>;
}

export function setWrite(
  options: WriteServiceOptions,
  request: SetRequest,
  phases: WritePhases,
): SetWrite {
  return new OneSetWrite(options, request, phases);
}

class OneSetWrite implements SetWrite {
  tried: readonly Key[] = [];
  readonly #options: WriteServiceOptions;
  readonly #request: SetRequest;
  readonly #phases: WritePhases;

  constructor(options: WriteServiceOptions, request: SetRequest, phases: WritePhases) {
    this.#options = options;
    this.#request = request;
    this.#phases = phases;
  }

  async run(): Promise<SetReceipt> {
    assertHasRows(this.#request.resource);
    const earlier = await this.#repeated();
    if (earlier !== null) return earlier;
    this.tried = await this.#find();
    // Each time some keys fall away, so that it ends.
    while (this.tried.length > 0) {
      try {
        return { receipts: await this.#transact(this.tried), replayed: false };
      } catch (error) {
        if (error instanceof RepeatedSet) return this.#replay(error.record);
        if (!(error instanceof Unmatched)) throw error;
        this.tried = this.tried.filter((_, index) => !error.indexes.includes(index));
      }
    }
    // The rows may have been changed by the first request with this idempotency key.
    return (await this.#repeated()) ?? { receipts: [], replayed: false };
  }

  async #find(): Promise<Key[]> {
    const { resource, where, most } = this.#request;
    const keys = await this.#options.rows.findKeys(resource, where, most + 1);
    if (keys.length <= most) return keys;
    throw new LockstepError(
      'TOO_LARGE',
      `More than ${most} rows match, and one call changes at most ${most} (limits.transactionOperations). Nothing was changed.`,
    );
  }

  async #transact(keys: readonly Key[]): Promise<WriteReceipt[]> {
    const { where, change, idempotency, waitTimeoutMs } = this.#request;
    const together: TransactionRequest = {
      ...{ writes: keys.map((key) => ({ key, change })), where },
      ...(idempotency === undefined ? {} : { idempotency }),
      ...(waitTimeoutMs === undefined ? {} : { waitTimeoutMs }),
    };
    try {
      return await transactReaching(transact, this.#options, together, this.#phases);
    } catch (error) {
      throw error instanceof LockstepError ? ofRow(error, keys) : error;
    }
  }

  /** What the first request with this idempotency key was answered; null: there was none. */
  async #repeated(): Promise<SetReceipt | null> {
    const { idempotency } = this.#request;
    if (idempotency === undefined) return null;
    const record = await this.#options.rows.findOutcome(idempotency.key);
    return record === null ? null : this.#replay(record);
  }

  async #replay(record: IdempotencyRecord): Promise<SetReceipt> {
    const { resource, change, idempotency } = this.#request;
    if (record.requestHash !== idempotency?.requestHash) throw reused();
    const { result, keyText } = record;
    if (result.status === 'applied') throw reused();
    if (result.status === 'refused') {
      const key = keyFromRowText(resource, keyText);
      const error = refusalError(key, result.refusal);
      throw result.index === undefined ? error : atRow(error, key);
    }
    // What foreign keys changed with them comes after them.
    const own = result.writes.filter((write) => write.resource === resource.name);
    const writes = own.map((write) => ({ key: keyFromText(resource, write.keyText), change }));
    return {
      receipts: await replayTogether(this.#options, { writes, idempotency }, record),
      replayed: true,
    };
  }
}

/** The caller named no operations: the error names the row. */
function ofRow(error: LockstepError, keys: readonly Key[]): LockstepError {
  const key = keys[error.details.operation ?? -1];
  const plain = withoutOperation(error);
  return key === undefined ? plain : atRow(plain, key);
}

const atRow = (error: LockstepError, { text }: Key): LockstepError =>
  error.with(`Row ${text}: ${error.message}`, error.details);
