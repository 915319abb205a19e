import type { Row } from '@lockstep/shared';
import { type Key, LockstepError, type Resource } from '../domain/index.ts';
import type { RowStore } from './port.ts';

const MAX_KEYS_READ = 1_000;

/** By key: its row, null if it is gone, or why it could not be read. */
export type RowsOfKeys = ReadonlyMap<Key, Row | null | Error>;

/**
 * Reads the rows of keys of any resources. A table that cannot be read leaves an error for its own keys only.
 * @throws LockstepError `DATABASE_UNAVAILABLE`
 */
export async function rowsOfKeys(
  rows: Pick<RowStore, 'readMany'>,
  keys: readonly Key[],
): Promise<RowsOfKeys> {
  const read = new Map<Key, Row | null | Error>();
  const byResource = new Map<Resource, Key[]>();
  for (const key of keys)
    byResource.set(key.resource, [...(byResource.get(key.resource) ?? []), key]);
  for (const [resource, all] of byResource) {
    for (let at = 0; at < all.length; at += MAX_KEYS_READ)
      await readChunk(rows, resource, all.slice(at, at + MAX_KEYS_READ), read);
  }
  return read;
}

async function readChunk(
  rows: Pick<RowStore, 'readMany'>,
  resource: Resource,
  keys: readonly Key[],
  read: Map<Key, Row | null | Error>,
): Promise<void> {
  try {
    const found = await rows.readMany(resource, keys);
    for (const [at, key] of keys.entries()) read.set(key, found[at]?.row ?? null);
  } catch (error) {
    if (error instanceof LockstepError && error.code === 'DATABASE_UNAVAILABLE') throw error;
    const fault = error instanceof Error ? error : new Error(String(error));
    for (const key of keys) read.set(key, fault);
  }
}
