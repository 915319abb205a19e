/**
 * All rows whose keys begin with the same parts: those of a whole resource, or of the first columns of a composite key.
 */
import { invalidField, LockstepError } from './errors.ts';
import { canonicalParts, keyFromCacheKey, ownParts, sharedParts } from './key.ts';
import { isCached } from './policy-rules.ts';
import type { CacheKeyTemplate, CacheKeyTest } from './cache-key.ts';
import type { Resource } from './resource.ts';
import { columnOf } from './row.ts';

export interface KeyPrefix {
  resource: Resource;
  /** In canonical text; fewer than the key has columns. None: every row. */
  parts: readonly string[];
}

/**
 * A prefix from its parts as a caller wrote them.
 * @throws LockstepError `INVALID` if a part is wrong, or if there are as many as the key has columns, or more
 */
export function keyPrefix(resource: Resource, parts: readonly string[]): KeyPrefix {
  if (parts.length >= resource.keyColumns.length)
    throw invalidField('key', `must have fewer than ${resource.keyColumns.length} part(s)`);
  return { resource, parts: canonicalParts(resource, parts) };
}

/** The same text for the same rows. */
export const prefixName = ({ resource, parts }: KeyPrefix): string =>
  JSON.stringify([resource.name, ...parts]);

/**
 * The cache keys that a change of any of the rows makes wrong: their own entries, those of other resources that share
 * the rows, and what hangs on them. If a template does not say to which of the rows a cache key belongs, every key that
 * it makes counts.
 */
export function cacheKeysOf({ resource, parts }: KeyPrefix): CacheKeyTest {
  const resources = [resource, ...(resource.shared?.siblings ?? [])];
  const own = resources
    .filter((each) => each === resource || isCached(each))
    .map((each) => entriesOf(each, resource, parts));
  const related = resources.flatMap(({ invalidates }) =>
    invalidates.map((template) => relatedTo(template, resource, parts)),
  );
  const tests = [...own, ...related];
  return (cacheKey) => tests.some((test) => test(cacheKey));
}

/** @param named the resource whose key the parts are of; `resource` has the same rows, perhaps in another order of columns */
function entriesOf(resource: Resource, named: Resource, parts: readonly string[]): CacheKeyTest {
  if (parts.length === 0) return (cacheKey) => resource.cacheKey.match(cacheKey) !== null;
  return (cacheKey) => {
    const key = keyFromCacheKey(resource, cacheKey);
    if (key === null) return false;
    const found = ownParts(named, sharedParts(resource, key.parts));
    return parts.every((part, at) => part === found[at]);
  };
}

function relatedTo(
  template: CacheKeyTemplate,
  { keyColumns }: Resource,
  parts: readonly string[],
): CacheKeyTest {
  const fixed = parts.flatMap((part, at) => {
    const column = keyColumns[at];
    return column !== undefined && template.columns.includes(column.name) ? [{ column, part }] : [];
  });
  return (cacheKey) => {
    const values = template.match(cacheKey);
    return (
      values !== null &&
      fixed.every(({ column, part }) => mayBe(column, columnOf(values, column.name), part))
    );
  };
}

/** Whether a text in a cache key may stand for the part. A text that is no value of the column may stand for any. */
function mayBe(
  column: Resource['keyColumns'][number],
  text: string | undefined,
  part: string,
): boolean {
  if (text === undefined || text === part) return true;
  try {
    return canonicalParts({ keyColumns: [column] }, [text])[0] === part;
  } catch (error) {
    if (error instanceof LockstepError) return true;
    throw error;
  }
}
