import type { Key } from '../../domain/index.ts';
import type { RawValue } from '../connections/driver.ts';
import { isUnaddressable } from './padded-key.ts';
import { pgRowTag } from './row-tag.ts';
import type { VersionedRow } from '../port.ts';
import { decodeRow } from '../values/row-text.ts';

/** Where the row's values begin in the answer of a read. */
const ROW_AT = 5;

/** From the columns version, fence, whether there is a row, which transaction changed it last, and the row. */
export function versionedRow(key: Key, values: readonly RawValue[]): VersionedRow {
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
}
