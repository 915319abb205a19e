import { xidOfTag } from './row-tag.ts';
import { columnOf, type Column, type Key, type Resource, rowsName } from '../../../domain/index.ts';
import type { RowWrite } from '../../../database/port.ts';
import { encodeValue } from '../../../database/values/row-text.ts';
import { pgKeyBindings, pgValues } from './values.ts';
import { isPadded } from './names.ts';
import type { Attempt } from '../../../database/write/attempt.ts';
import { bindChange } from '../../../database/write/change-sql.ts';
import type { SqlBindings, SqlValue } from '../../../database/statements/sql.ts';
import { describeColumns } from '../../../database/values/stored-row.ts';

/** The values of the placeholders of `PgStatements.write`. */
export function writeBindings(write: RowWrite, related: readonly Column[]): SqlBindings {
  const { key, change } = write;
  const { columns } = key.resource;
  const bindings: Record<string, SqlValue> = pgKeyBindings(key);
  if (write.fence !== undefined) bindings.fence = write.fence;
  if (write.heldFences !== undefined) bindings.held_fences = write.heldFences;
  if (key.resource.epoch !== undefined) {
    bindings.policy = key.resource.name;
    bindings.epoch = key.resource.epoch;
  }
  if (write.ifMatch !== undefined) bindings.if_match = write.ifMatch;
  if (write.ifMatchTag !== undefined) bindings.if_match_xid = xidOfTag(write.ifMatchTag);
  if (write.ifMatch === 0) bindings.pristine_below = key.resource.pristineBelow ?? '0';
  if (write.secondDeleteAfterMs !== undefined)
    bindings.second_delete_after_ms = write.secondDeleteAfterMs;
  if (write.idempotency !== undefined) {
    bindings.idempotency_key = write.idempotency.key;
    bindings.request_hash = write.idempotency.requestHash;
    bindings.column_types = describeColumns(columns);
  }
  if (write.outbox && related.length > 0) bindings.related_types = describeColumns(related);
  bindChange(pgValues, key.resource, change, bindings);
  return bindings;
}

/** The value that a write sets a column to, as it is sent. */
export function encodedColumn({ change }: RowWrite, column: Column): SqlValue {
  if (change.op === 'delete') return null;
  return encodeValue(pgValues, column, columnOf(change.set, column.name) ?? null);
}

/** The answer to a write of a key that `isUnaddressable`. */
export function unaddressable({ key, change }: RowWrite): Attempt {
  if (change.op !== 'put') return { status: 'not-admitted' };
  const column = key.resource.keyColumns.find(isPadded)?.name ?? null;
  return {
    status: 'refused',
    refusal: { reason: 'invalid', message: 'must not end with a blank', column },
  };
}

/** Those of several keys of one resource, as lists. */
export function keysBindings(resource: Resource, keys: readonly Key[]): Record<string, SqlValue> {
  const bindings: Record<string, SqlValue> = {
    resource: rowsName(resource),
    keys: keys.map(({ rowText }) => rowText),
  };
  for (const [index, column] of resource.keyColumns.entries())
    bindings[`parts_${index}`] = keys.map(({ parts }) =>
      String(pgValues.keyPart(column, parts[index] ?? '')),
    );
  return bindings;
}
