import { jsonText, parseJson, type Row } from '@lockstep/shared';
import type { Idempotency } from '../../domain/index.ts';
import type { RawValue } from '../connections/driver.ts';
import type { IdempotencyRecord, Refusal, TransactedWrite } from '../port.ts';
import { readStoredRow, type StoredColumns, type StoredRow } from '../values/stored-row.ts';

/** `lockstep_idempotency.result`. */
type StoredOutcome =
  | {
      status: 'applied';
      created: boolean;
      version: number;
      fence: number | null;
      columns?: StoredColumns;
      row: StoredRow;
    }
  | { status: 'applied-together'; writes: TransactedWrite[] }
  | { status: 'refused'; refusal: Refusal; index?: number };

/** From the columns request hash, resource, key, result. */
export function decodeOutcome(values: readonly RawValue[]): IdempotencyRecord {
  const [requestHash, resource, keyText, result] = values.map((value) => value?.toString() ?? '');
  const outcome = parseJson(result ?? '') as unknown as StoredOutcome;
  return {
    requestHash: requestHash ?? '',
    resource: resource ?? '',
    keyText: keyText ?? '',
    result: outcome.status === 'applied' ? decodeApplied(outcome) : outcome,
  };
}

function decodeApplied(
  outcome: Extract<StoredOutcome, { status: 'applied' }>,
): IdempotencyRecord['result'] {
  const { columns, row, ...rest } = outcome;
  return { ...rest, row: readStoredRow(row, columns) };
}

/** The outcome of an applied write with its row in canonical form. */
export function encodeApplied(outcome: {
  created: boolean;
  version: number;
  fence: number | null;
  row: Row | null;
}): string {
  const { created, version, fence, row } = outcome;
  return jsonText({
    status: 'applied',
    created,
    version,
    fence,
    row,
  } satisfies StoredOutcome);
}

interface RecordBindings {
  idempotency_key: string;
  request_hash: string;
  result: string;
}

/** The outcome of a refused write; `index` says which one of a transaction. */
export function recordBindings(refused: {
  idempotency: Idempotency;
  refusal: Refusal;
  index?: number;
}): RecordBindings {
  const { idempotency, refusal, index } = refused;
  const which = index === undefined ? {} : { index };
  return bindingsOf(idempotency, { status: 'refused', refusal, ...which });
}

/** The outcome of an applied transaction. */
export function togetherBindings(
  idempotency: Idempotency,
  writes: TransactedWrite[],
): RecordBindings {
  return bindingsOf(idempotency, { status: 'applied-together', writes });
}

const bindingsOf = ({ key, requestHash }: Idempotency, outcome: StoredOutcome): RecordBindings => ({
  idempotency_key: key,
  request_hash: requestHash,
  result: jsonText(outcome),
});
