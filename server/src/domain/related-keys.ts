import type { Row } from '@lockstep/shared';
import type { CacheKeyTemplate } from './cache-key.ts';
import type { Key } from './resource.ts';
import { emptyRow } from './row.ts';

/** The columns that a write's `invalidates` templates need, before and after it. */
export interface RelatedRows {
  before: Row | null;
  after: Row | null;
}

/** The cache keys that a changed row makes wrong, each once. */
export function relatedCacheKeys(
  templates: readonly CacheKeyTemplate[],
  related: RelatedRows,
): string[] {
  const keys = new Set<string>();
  for (const template of templates) {
    for (const row of [related.before, related.after]) {
      const cacheKey = row === null ? null : template.render(row);
      if (cacheKey !== null) keys.add(cacheKey);
    }
  }
  return [...keys];
}

/** Whether the row must be read to know what hangs on it by this key's resource. */
export const needsRow = ({ resource: { invalidates, keyColumns } }: Key): boolean =>
  invalidates.some(({ columns }) =>
    columns.some((name) => !keyColumns.some((column) => column.name === name)),
  );

/**
 * The cache keys that hang on the row by this key's resource, if only the row as it is now is known.
 * @param row null if it is gone: only those that are made of its key alone are known then
 */
export function relatedToKey({ resource, parts }: Key, row: Row | null): string[] {
  if (resource.invalidates.length === 0) return [];
  const after = emptyRow();
  for (const [at, { name }] of resource.keyColumns.entries()) after[name] = parts[at] ?? '';
  return relatedCacheKeys(resource.invalidates, { before: null, after: Object.assign(after, row) });
}

/**
 * The version by which a cache key is invalidated for two reasons. Null invalidates every value, so it is higher than
 * every version.
 * @param seen undefined: there was no other reason yet
 */
export function highestVersion(
  seen: number | null | undefined,
  version: number | null,
): number | null {
  if (seen === null || version === null) return null;
  return Math.max(seen ?? 0, version);
}
