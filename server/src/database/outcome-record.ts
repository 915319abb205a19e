import type { Row } from '@lockstep/shared';
import type { Idempotency } from '../domain/index.ts';
import type { RawValue } from './driver.ts';
import type { IdempotencyRecord, Refusal } from './port.ts';
import { readStoredRow, type StoredColumns, type StoredRow } from './stored-row.ts';

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
  | { status: 'refused'; refusal: Refusal };

/** From the columns request hash, resource, key, result. */
export function decodeOutcome(values: readonly RawValue[]): IdempotencyRecord {
  const [requestHash, resource, keyText, result] = values.map((value) => value?.toString() ?? '');
  const outcome = JSON.parse(result ?? '') as StoredOutcome;
  return {
    requestHash: requestHash ?? '',
    resource: resource ?? '',
    keyText: keyText ?? '',
    result: outcome.status === 'refused' ? outcome : decodeApplied(outcome),
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
  return JSON.stringify({
    status: 'applied',
    created,
    version,
    fence,
    row,
  } satisfies StoredOutcome);
}

export function recordBindings(refused: { idempotency: Idempotency; refusal: Refusal }): {
  idempotency_key: string;
  request_hash: string;
  result: string;
} {
  const { idempotency, refusal } = refused;
  return {
    idempotency_key: idempotency.key,
    request_hash: idempotency.requestHash,
    result: JSON.stringify({ status: 'refused', refusal } satisfies StoredOutcome),
  };
}
