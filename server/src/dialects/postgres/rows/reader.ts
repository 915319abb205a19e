import type { Key } from '../../../domain/index.ts';
import { sendSql } from '../../../database/connections/driver.ts';
import { decodeRow } from '../../../database/values/row-text.ts';
import type { RowReader } from '../../../database/write/row-dialect.ts';
import { isPadded } from './names.ts';
import { pgRowTag } from './row-tag.ts';
import { statementsOf } from './statements.ts';
import { pgKeyBindings } from './values.ts';

/** Where the row's values begin in the answer of a read. */
const ROW_AT = 5;

export const pgReader: RowReader = {
  readSql: (key) => sendSql(statementsOf(key.resource).read, pgKeyBindings(key)),

  /** From the columns version, fence, whether there is a row, which transaction changed it last, and the row. */
  versionedRow(key, values) {
    const { resource } = key;
    const [stored = null, fence = null, present = null, changedBy = null, nextXid = null] = values;
    const isThere = present === 't' && !isUnaddressable(key);
    const version = Number(stored ?? 0);
    const tag = pgRowTag(resource, { version, changedBy, nextXid });
    return {
      version,
      fence: Number(fence ?? 0),
      row: isThere ? decodeRow(resource.columns, values, ROW_AT) : null,
      ...(tag === undefined ? {} : { tag }),
    };
  },
};

/** In `character(n)` trailing blanks mean nothing: a key with them would be another name of the same row. */
export function isUnaddressable({ resource, parts }: Key): boolean {
  return resource.keyColumns.some(
    (column, index) => isPadded(column) && parts[index]?.endsWith(' '),
  );
}
