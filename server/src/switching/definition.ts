import type { Resource } from '../domain/index.ts';

/** What of a resource all coordinators must agree on before they may serve its cache. */
interface Definition {
  policy: string;
  format: string;
  cacheKey: string;
  table: string;
  key: string[];
  invalidates: string[];
}

/** A definition with what earlier ones have left. */
export interface StoredDefinition {
  is: Definition;
  /** Templates of the one before, whose entries are swept too. */
  former: string[];
  /** Shapes of cache keys that were once kept raw: a write intent must never stand among them. */
  raw: string[];
}

export function definitionOf(resource: Resource): Definition {
  return {
    policy: resource.policy,
    format: resource.format,
    cacheKey: resource.cacheKey.text,
    table: resource.table,
    key: resource.keyColumns.map(({ name }) => name),
    invalidates: resource.invalidates.map(({ text }) => text),
  };
}

export function isSame(stored: StoredDefinition, resource: Resource): boolean {
  return JSON.stringify(stored.is) === JSON.stringify(definitionOf(resource));
}

/** The resource's definition after `before`. */
export function nextDefinition(
  resource: Resource,
  before: StoredDefinition | null,
): StoredDefinition {
  const raw = new Set(before?.raw ?? []);
  if (resource.format === 'raw') raw.add(resource.cacheKey.shape);
  const former = before === null ? [] : [before.is.cacheKey, ...before.is.invalidates];
  return { is: definitionOf(resource), former, raw: [...raw] };
}

/** Why the resource cannot be switched to; null where it can. */
export function switchFault(resource: Resource, before: StoredDefinition | null): string | null {
  if (resource.policy !== 'strict' || before?.raw.includes(resource.cacheKey.shape) !== true)
    return null;
  return 'was kept raw before, and readers that know nothing of Lockstep may still write there; allowed with strict: another template';
}
