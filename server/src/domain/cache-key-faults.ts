/**
 * Makes sure that a cache key names only one row. Templates are compared by the keys that they can make: two resources
 * may have no key in common, a template may not name two rows by one key, and no template may make one of Lockstep's
 * own keys.
 */
import type { FieldFault } from '@lockstep/shared';
import { placeholderOf, type CacheKeyTemplate } from './cache-key.ts';
import { ambiguousText, type Automaton, automatonOf, commonText } from './language.ts';
import { ANY_TEXT } from './part-language.ts';
import type { Resource } from './resource.ts';

type Named = Pick<Resource, 'name' | 'cacheKey'> & Partial<Pick<Resource, 'invalidates'>>;

/** Lockstep's own keys, for locks, refreshes and the like, begin with this. */
const OWN_PREFIX = 'lockstep:';
const OWN_KEYS: Automaton = automatonOf([{ text: OWN_PREFIX }, ANY_TEXT]);

/**
 * The faults of the resources' templates, each with both templates and an example of a cache key.
 *
 * An `invalidates` template with the same shape as another resource's template means that resource. If it only overlaps
 * with it, that is a fault, because writes would delete entries that its author did not think of.
 */
export function cacheKeyFaults(resources: readonly Named[]): FieldFault[] {
  const faults: FieldFault[] = [];
  for (const [index, { name, cacheKey, invalidates = [] }] of resources.entries()) {
    const path = `resources.${name}.cacheKey`;
    const ambiguous = ambiguousText(cacheKey.automaton);
    if (ambiguous !== null) {
      const message = `${cacheKey.text} can name two rows by one cache key, such as ${shown(ambiguous)}; allowed: a separator between placeholders that is not a letter or digit`;
      faults.push({ path, message });
    }
    faults.push(...reservedFaults(path, cacheKey));
    for (const earlier of resources.slice(0, index)) {
      const example = commonKey(cacheKey, earlier.cacheKey);
      if (example === null) continue;
      const message = `gives the same cache keys as resource ${earlier.name}: ${cacheKey.text} and ${earlier.cacheKey.text} can both make ${shown(example)}; allowed: a template of its own, such as ${suggestion(name, cacheKey)}`;
      faults.push({ path, message });
    }
    for (const [place, template] of invalidates.entries()) {
      const at = `resources.${name}.invalidates.${place}`;
      faults.push(...reservedFaults(at, template), ...overlapFaults(at, template, resources));
    }
  }
  return faults;
}

/** A cache key that both templates can make; null if there is none. */
export function commonKey(one: CacheKeyTemplate, other: CacheKeyTemplate): string | null {
  if (!one.prefix.startsWith(other.prefix) && !other.prefix.startsWith(one.prefix)) return null;
  if (!one.suffix.endsWith(other.suffix) && !other.suffix.endsWith(one.suffix)) return null;
  return commonText(one.automaton, other.automaton);
}

/** Whether a cache key is one of Lockstep's own. */
export const isOwnKey = (cacheKey: string): boolean => cacheKey.startsWith(OWN_PREFIX);

function reservedFaults(path: string, template: CacheKeyTemplate): FieldFault[] {
  const { prefix } = template;
  if (!prefix.startsWith(OWN_PREFIX) && !OWN_PREFIX.startsWith(prefix)) return [];
  const example = commonText(template.automaton, OWN_KEYS);
  if (example === null) return [];
  const message = `${template.text} can name keys that Lockstep keeps for itself, such as ${shown(example)}; allowed: templates that do not begin with ${OWN_PREFIX}`;
  return [{ path, message }];
}

function overlapFaults(
  path: string,
  template: CacheKeyTemplate,
  resources: readonly Named[],
): FieldFault[] {
  return resources.flatMap(({ name, cacheKey }) => {
    if (cacheKey.shape === template.shape) return [];
    const example = commonKey(template, cacheKey);
    if (example === null) return [];
    const message = `${template.text} names some of the cache keys of resource ${name} (${cacheKey.text}), such as ${shown(example)}; allowed: that template with other placeholders, or one that has no key in common with it`;
    return [{ path, message }];
  });
}

/** A template that begins with the resource's name, which is unique. */
const suggestion = (name: string, { columns }: CacheKeyTemplate): string =>
  [name, ...columns.map(placeholderOf)].join(':');

const shown = (cacheKey: string): string => JSON.stringify(cacheKey);
