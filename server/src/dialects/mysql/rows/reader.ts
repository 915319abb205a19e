import type { Row } from '@lockstep/shared';
import { keyFromRow } from '../../../domain/index.ts';
import { type RawValue, sendSql } from '../../../database/connections/driver.ts';
import type { VersionedRow } from '../../../database/port.ts';
import { decodeRow } from '../../../database/values/row-text.ts';
import type { RowReader } from '../../../database/write/row-dialect.ts';
import { digestOfRow, mysqlRowTag } from './row-tag.ts';
import { statementsOf } from './statements.ts';
import { mysqlKeyBindings } from './values.ts';

/** Where the row's values begin in the answer of a read. */
const ROW_AT = 4;

export const mysqlReader: RowReader = {
  readSql: (key) => sendSql(statementsOf(key.resource).read, mysqlKeyBindings(key)),

  /**
   * From the columns version, fence, digest, whether there is a row, and the row; another spelling of the key is another
   * key.
   */
  versionedRow(key, values) {
    const { resource } = key;
    const row =
      String(values[3] ?? null) === '1' ? decodeRow(resource.columns, values, ROW_AT) : null;
    const isAsked = row !== null && keyFromRow(resource, row)?.text === key.text;
    const digest = isAsked ? digestOfRow(resource, values, ROW_AT) : null;
    return versioned(values, isAsked ? row : null, digest);
  },
};

/** From the columns version, fence and digest of the key's row of `lockstep_keys`, and the row itself. */
export function versioned(
  [stored = null, fence = null, storedDigest = null]: readonly RawValue[],
  row: Row | null,
  digest: Buffer | null,
): VersionedRow {
  const version = Number(stored ?? 0);
  const tag = mysqlRowTag(version, storedDigest, digest);
  const read: VersionedRow = { version, fence: Number(fence ?? 0), row };
  return tag === undefined ? read : { ...read, tag };
}
