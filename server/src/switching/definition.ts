import type { SwitchStatus } from '@lockstep/shared';
import {
  columnsDigest,
  type DerivedResource,
  isDerived,
  isStrict,
  type Resource,
  type TableState,
} from '../domain/index.ts';

/** What of a resource all coordinators must agree on before they may serve its cache. */
interface Definition {
  policy: string;
  format: string;
  cacheKey: string;
  /** How values stand in its cache keys, where that is another way than earlier releases had; else absent. */
  escape?: typeof ESCAPE;
  table: string;
  key: string[];
  invalidates: string[];
  /** Of a table: what its columns are. Entries of other columns are not served. */
  columns?: string;
  /** Where it shares its rows: under which name, and what the others are. */
  shared?: { name: string; siblings: string[] };
  /** The resource through which its rows are written alone. */
  writtenThrough?: string;
  /** Of a query only, with the types of its parameters and where it depends on what. */
  query?: string;
  parameters?: string[];
  dependsOn?: string[];
}

/** Changes with the rule by which values are escaped: a coordinator that has another one names other entries. */
const ESCAPE = 'percent';

/** A definition with what earlier ones have left. */
export interface StoredDefinition {
  is: Definition;
  /** The one before; absent in the first, and in what earlier releases have stored. */
  before?: Definition;
  /** Templates of the one before, whose entries are swept too. */
  former: string[];
  /** What the catalog said of its tables; absent in what earlier releases have stored. */
  tables?: TableState;
  /** Shapes of cache keys that were once kept raw: a write intent must never stand among them. */
  raw: string[];
}

export function definitionOf(resource: Resource): Definition {
  return {
    policy: resource.policy,
    format: resource.format,
    cacheKey: resource.cacheKey.text,
    ...(resource.cacheKey.escapesValues ? { escape: ESCAPE } : {}),
    table: resource.table,
    key: resource.keyColumns.map(({ name }) => name),
    invalidates: resource.invalidates.map(({ text }) => text),
    ...(resource.shared === undefined ? {} : { shared: resource.shared.toJSON() }),
    ...(resource.writtenThrough === undefined ? {} : { writtenThrough: resource.writtenThrough }),
    ...(isDerived(resource) ? queryOf(resource) : { columns: columnsText(resource) }),
  };
}

/** How many columns, and a digest of their names and types. */
function columnsText(resource: Resource): string {
  return `${resource.columns.length} (${columnsDigest(resource)})`;
}

const queryOf = ({ query, keyColumns }: DerivedResource): Partial<Definition> => ({
  query: query.text.source,
  parameters: keyColumns.map(({ type }) => type),
  dependsOn: query.dependsOn.map(({ table, cacheKey }) => `${table} ${cacheKey.text}`),
});

/**
 * What is another in the resource than in the stored definition.
 *   note     only by whose numbers the state of its tables goes: nothing has changed that is known of
 *   tables   the state of its tables
 *   columns  what its columns are
 *   all      what the configuration says of it
 */
export type Difference = 'none' | 'note' | 'tables' | 'columns' | 'all';

export function differenceOf(stored: StoredDefinition, resource: Resource): Difference {
  const is = definitionOf(resource);
  if (JSON.stringify(stored.is) !== JSON.stringify(is)) {
    const isOfTables = JSON.stringify(configured(stored.is)) === JSON.stringify(configured(is));
    return isOfTables ? 'columns' : 'all';
  }
  const { tables } = resource;
  if (tables === undefined) return 'none';
  if (stored.tables?.server !== tables.server) return 'note';
  return stored.tables.digest === tables.digest ? 'none' : 'tables';
}

/** The definition without what the tables say. */
function configured({ columns: _, parameters: _types, ...rest }: Definition): Definition {
  return rest;
}

/** The resource's definition after `before`. */
export function nextDefinition(
  resource: Resource,
  before: StoredDefinition | null,
): StoredDefinition {
  const raw = new Set(before?.raw ?? []);
  if (resource.format === 'raw') raw.add(resource.cacheKey.shape);
  const former = before === null ? [] : [before.is.cacheKey, ...before.is.invalidates];
  const is = definitionOf(resource);
  const { tables } = resource;
  return {
    is,
    ...(before === null ? {} : { before: before.is }),
    former,
    ...(tables === undefined ? {} : { tables }),
    raw: [...raw],
  };
}

/** Longest text of one side of a change: what is shown to people. */
const MAX_TEXT = 200;

/** What is another in `to` than in `from`, field by field. */
export function changesBetween(from: Definition, to: Definition): SwitchStatus['changes'] {
  const fields = new Map(Object.entries(from).map(([field, value]) => [field, textOf(value)]));
  return Object.entries(to).flatMap(([field, value]) => {
    const was = fields.get(field) ?? '';
    const is = textOf(value);
    return was === is ? [] : [{ field, from: was, to: is }];
  });
}

function textOf(value: unknown): string {
  if (Array.isArray(value)) return value.join(', ').slice(0, MAX_TEXT);
  return (typeof value === 'string' ? value : JSON.stringify(value)).slice(0, MAX_TEXT);
}

/** Why the resource cannot be switched to; null where it can. */
export function switchFault(resource: Resource, before: StoredDefinition | null): string | null {
  if (!isStrict(resource) || before?.raw.includes(resource.cacheKey.shape) !== true) return null;
  return 'was kept raw before, and readers that know nothing of Lockstep may still write there; allowed with strict: another template';
}
