/**
 * Whether another program changed a row, by a digest of its columns (docs/decisions/0022-row-tags.md). MySQL and MariaDB
 * keep nothing in a row that says which transaction wrote it.
 *
 * The digest is made here, of the very bytes that the server sent for the row's columns: it costs the server nothing,
 * and two rows that a read would answer differently have different digests.
 */
import { hash } from 'node:crypto';
import { GONE, type Resource } from '../../../domain/index.ts';
import type { RawValue } from '../../../database/connections/driver.ts';
import { memoized } from '../../../database/statements/memoized.ts';

const DIGEST_BYTES = 16;
const TAG_BYTES = 12;
/** Stands for the length of a NULL; no value is so long. */
const NULL_LENGTH = 0xffff_ffff;

/** The names of the resource's columns, so that adding, dropping or renaming a column changes the digest. */
const headingOf = memoized(({ columns }: Resource): Buffer =>
  Buffer.from(JSON.stringify(columns.map(({ name }) => name))),
);

/** The digest of a row of the resource's columns, which stand in `values` from `at` on. */
export function digestOfRow(resource: Resource, values: readonly RawValue[], at = 0): Buffer {
  const heading = headingOf(resource);
  const row = values.slice(at, at + resource.columns.length);
  const sizes = row.map((value) => (value === null ? NULL_LENGTH : Buffer.byteLength(value)));
  const bytes = sizes.reduce(
    (sum, size) => sum + 4 + (size === NULL_LENGTH ? 0 : size),
    heading.length,
  );
  const text = Buffer.allocUnsafe(bytes);
  let end = heading.copy(text);
  for (const [index, value] of row.entries()) {
    end = text.writeUInt32BE(sizes[index] ?? 0, end);
    if (typeof value === 'string') end += text.write(value, end);
    else if (value !== null) end += value.copy(text, end);
  }
  return hash('sha256', text, 'buffer').subarray(0, DIGEST_BYTES);
}

/**
 * The row's tag; undefined where it is as Lockstep's last write left it.
 * @param version 0 where Lockstep has never written the key
 * @param stored the digest of the row that Lockstep's last write left; null where it left none
 * @param digest of the row as it is now; null if there is no row
 */
export function mysqlRowTag(
  version: number,
  stored: RawValue,
  digest: Buffer | null,
): string | undefined {
  if (digest === null) return version > 0 && stored !== null ? GONE : undefined;
  if (version > 0 && Buffer.isBuffer(stored) && stored.equals(digest)) return undefined;
  return digest.subarray(0, TAG_BYTES).toString('base64url');
}
