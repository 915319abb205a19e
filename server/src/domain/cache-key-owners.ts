import { keyFromCacheKey } from './key.ts';
import type { Resource } from './resource.ts';

/**
 * Finds the resource of a cache key without trying every resource: resources are indexed by their template's text up to
 * the first `:`. Templates of two resources have no key in common (`cache-key-faults.ts`).
 */
export class CacheKeyOwners {
  readonly #resources: ReadonlyMap<string, Resource>;
  #byHead = new Map<string, Resource[]>();
  /** The resources whose template has no `:` before its first placeholder. */
  #headless: Resource[] = [];
  /** The last result of `maker`, because each step on an entry asks twice: for its format and for its owner. */
  #lastMade: { cacheKey: string; resource: Resource | null } | null = null;

  /** @param resources of the configuration; call `refresh` when they change */
  constructor(resources: ReadonlyMap<string, Resource>) {
    this.#resources = resources;
    this.refresh();
  }

  refresh(): void {
    this.#byHead = new Map();
    this.#headless = [];
    this.#lastMade = null;
    for (const resource of this.#resources.values()) {
      const head = headOf(resource.cacheKey.prefix);
      if (head === '') this.#headless.push(resource);
      else this.#byHead.set(head, [...(this.#byHead.get(head) ?? []), resource]);
    }
  }

  /** The resource whose row the cache key names; null if there is none. */
  of(cacheKey: string): Resource | null {
    const isOwner = (resource: Resource): boolean => keyFromCacheKey(resource, cacheKey) !== null;
    return (
      this.#byHead.get(headOf(cacheKey))?.find(isOwner) ?? this.#headless.find(isOwner) ?? null
    );
  }

  /**
   * The same for a cache key that some resource made. Faster, because the key is not checked if only one resource can
   * make it.
   */
  maker(cacheKey: string): Resource | null {
    if (this.#lastMade?.cacheKey !== cacheKey)
      this.#lastMade = { cacheKey, resource: this.#findMaker(cacheKey) };
    return this.#lastMade.resource;
  }

  #findMaker(cacheKey: string): Resource | null {
    const named = this.#byHead.get(headOf(cacheKey));
    const [only] = named ?? [];
    if (named?.length === 1 && only !== undefined && this.#headless.length === 0) return only;
    return this.of(cacheKey);
  }

  /** Whether a write of some resource deletes the cache key by an `invalidates` template. */
  isInvalidated(cacheKey: string): boolean {
    for (const { invalidates } of this.#resources.values())
      if (invalidates.some((template) => template.match(cacheKey) !== null)) return true;
    return false;
  }
}

const headOf = (text: string): string => text.slice(0, text.indexOf(':') + 1);
