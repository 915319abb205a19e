/**
 * Columns that the database computes, in the body of a write. So that a row can be written back as it was read, the body
 * may repeat such a column with its present value. The column is not written. Any other value is refused, because the
 * caller seems to expect that it is stored.
 */
import { type FieldFault, jsonText, type Row } from '@lockstep/shared';
import { columnOf, type Key, invalid } from '../domain/index.ts';
import type { ReadService } from '../reads/port.ts';

const COMPUTED = 'is computed by the database; leave it out, or give the value that it has';

/** A write that gives columns which the database computes. */
export interface RepeatedColumns {
  key: Key;
  /** As they were given. */
  given: Row;
  /** Stands before each column in the paths of faults. */
  prefix: string;
}

/** @throws LockstepError `INVALID` with each column that has another value, or whose row is not there */
export async function assertRepeated(
  reads: Pick<ReadService, 'read'>,
  repeated: readonly RepeatedColumns[],
): Promise<void> {
  const faults: FieldFault[] = [];
  for (const { key, given, prefix } of repeated) {
    const { row } = await reads.read(key, { consistency: 'primary' });
    for (const [name, value] of Object.entries(given)) {
      const present = row === null ? undefined : columnOf(row, name);
      if (present !== undefined && jsonText([present]) === jsonText([value])) continue;
      faults.push({ path: prefix === '' ? name : `${prefix}.${name}`, message: COMPUTED });
    }
  }
  if (faults.length > 0) throw invalid(faults);
}

/** A write that may be a repeat reads nothing: it must answer the first outcome, however the row has changed since. */
export const refusedBesideIdempotencyKey = ({ given, prefix }: RepeatedColumns): FieldFault[] =>
  Object.keys(given).map((name) => ({
    path: prefix === '' ? name : `${prefix}.${name}`,
    message: 'is computed by the database; leave it out beside an idempotency key',
  }));
