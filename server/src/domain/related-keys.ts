import type { Row } from '@lockstep/shared';
import type { CacheKeyTemplate } from './cache-key.ts';

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
