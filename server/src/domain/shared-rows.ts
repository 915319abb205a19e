/**
 * Several resources over one table that name its rows by the same columns share these rows. Each row then has one
 * version, one fence, one lock and one place in the outbox, under one name and one spelling of the key. A write through
 * any of the resources treats the entries of all of them, as the policy of each says.
 */
import { LockstepError } from './errors.ts';
import { keyOfParts, ownParts, sharedParts } from './key.ts';
import { isInvalidatedByOthers, isStrict } from './policy-rules.ts';
import type { Key, Resource, Sharing } from './resource.ts';

export class SharedRows implements Sharing {
  readonly name: string;
  readonly order: readonly number[];
  readonly #siblings: readonly Resource[];

  /** @param siblings the other resources over the rows; their own `shared` must be set too */
  constructor(name: string, order: readonly number[], siblings: readonly Resource[]) {
    this.name = name;
    this.order = order;
    this.#siblings = siblings;
  }

  get siblings(): readonly Resource[] {
    return this.#siblings;
  }

  /** For comparing configurations: what a write needs to know about the other resources. */
  toJSON(): { name: string; siblings: string[] } {
    const siblings = this.#siblings.map(
      ({ name, policy, format, cacheKey, onWrite }) =>
        `${name} ${policy} ${format} ${onWrite} ${cacheKey.text}`,
    );
    return { name: this.name, siblings: siblings.sort() };
  }
}

/** The same row's keys of the other resources over it. */
export function siblingKeys(key: Key): Key[] {
  const { shared } = key.resource;
  if (shared === undefined) return [];
  const parts = sharedParts(key.resource, key.parts);
  return shared.siblings.map((sibling) => keyOfParts(sibling, ownParts(sibling, parts)));
}

/**
 * The strict entries of the row, the key's own first. If there are any, a write of the row is fenced, holds the lock, and
 * places an intent on each of them.
 */
export function strictKeys(key: Key): Key[] {
  const own = isStrict(key.resource) ? [key] : [];
  if (key.resource.shared === undefined) return own;
  return [...own, ...siblingKeys(key).filter(({ resource }) => isStrict(resource))];
}

/** Whether writes of the resource's rows are fenced: because it, or another resource over these rows, is strict. */
export const isFenced = (resource: Pick<Resource, 'policy' | 'shared'>): boolean =>
  isStrict(resource) || resource.shared?.siblings.some(isStrict) === true;

/** The error of a fenced write or lease while the cache does not answer. Says why, if its own resource is not strict. */
export function cacheIsAway(resource: Resource): LockstepError {
  const strict = resource.shared?.siblings.find(isStrict);
  const why =
    isStrict(resource) || strict === undefined
      ? ''
      : `, and ${strict.name}, which is strict, has the same rows as ${resource.name}`;
  return new LockstepError('CACHE_UNAVAILABLE', `The cache does not answer${why}.`);
}

/** The row's keys of other resources that a write invalidates after its commit. */
export function invalidatedSiblings(key: Key): Key[] {
  if (key.resource.shared === undefined) return [];
  return siblingKeys(key).filter(({ resource }) => isInvalidatedByOthers(resource));
}

/** Whether writes of the resource's rows invalidate entries of other resources over them. */
export const hasInvalidatedSiblings = ({ shared }: Pick<Resource, 'shared'>): boolean =>
  shared?.siblings.some(isInvalidatedByOthers) === true;
