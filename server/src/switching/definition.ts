import type { SwitchStatus } from '@lockstep/shared';
import {
  columnsDigest,
  type DerivedResource,
  hasHeader,
  isDerived,
  isStrict,
  type Resource,
  type TableState,
} from '../domain/index.ts';

/** What all coordinators must agree on before they may serve a resource from its cache. */
interface Definition {
  policy: string;
  format: string;
  cacheKey: string;
  /** How values are escaped in its cache keys; absent if it is as in earlier releases. */
  escape?: typeof ESCAPE;
  table: string;
  key: string[];
  invalidates: string[];
  /** A table's columns, as a digest. Entries with other columns are not served. */
  columns?: string;
  /** If it shares its rows: under which name, and with which resources. */
  shared?: { name: string; siblings: string[] };
  /** The only resource through which its rows can be written. */
  writtenThrough?: string;
  /** If it is a query: its text. */
  query?: string;
  /** Set if a loader of a client makes the values. */
  computed?: true;
  /** If it is derived: the types of its parameters, and its dependencies. */
  parameters?: string[];
  dependsOn?: string[];
}

/** The rule by which values are escaped. Must change with the rule, because another rule gives other cache keys. */
const ESCAPE = 'percent';

/** A definition, and what earlier ones have left. */
export interface StoredDefinition {
  is: Definition;
  /** The previous definition; absent in the first one, and if an earlier release stored it. */
  before?: Definition;
  /** Templates of the definitions before it, back to the last one that was swept for: their entries are swept too. */
  former: string[];
  /** What the catalog said about its tables; absent if an earlier release stored it. */
  tables?: TableState;
  /** Shapes of cache keys that once had raw entries: there must never be a write intent at such a key. */
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
    ...(isDerived(resource) ? derivationOf(resource) : { columns: columnsText(resource) }),
  };
}

/** The number of columns and a digest of their names and types. */
function columnsText(resource: Resource): string {
  return `${resource.columns.length} (${columnsDigest(resource)})`;
}

const derivationOf = ({ derivation, keyColumns }: DerivedResource): Partial<Definition> => ({
  ...(derivation.source.kind === 'query'
    ? { query: derivation.source.text.source }
    : { computed: true }),
  parameters: keyColumns.map(({ type }) => type),
  dependsOn: derivation.dependsOn.map(({ table, cacheKey }) => `${table} ${cacheKey.text}`),
});

/**
 * What differs between the resource and the stored definition.
 *   server   only the server whose numbers the state of its tables has: no change is known
 *   tables   the state of its tables
 *   columns  its columns
 *   all      its configuration
 */
export type Difference = 'none' | 'server' | 'tables' | 'columns' | 'all';

export function differenceOf(stored: StoredDefinition, resource: Resource): Difference {
  const is = definitionOf(resource);
  if (JSON.stringify(stored.is) !== JSON.stringify(is)) {
    const isOfTables = JSON.stringify(configured(stored.is)) === JSON.stringify(configured(is));
    return isOfTables ? 'columns' : 'all';
  }
  const { tables } = resource;
  if (tables === undefined) return 'none';
  if (stored.tables?.server !== tables.server) return 'server';
  return stored.tables.digest === tables.digest ? 'none' : 'tables';
}

/** The part of the definition that comes from the configuration. */
function configured({ columns: _, parameters: _types, ...rest }: Definition): Definition {
  return rest;
}

/**
 * The resource's definition after `before`.
 * @param isSwept whether the switch to `before` was completed, so that no entry of earlier ones is left
 */
export function nextDefinition(
  resource: Resource,
  before: StoredDefinition | null,
  isSwept = true,
): StoredDefinition {
  const raw = new Set(before?.raw ?? []);
  if (!hasHeader(resource)) raw.add(resource.cacheKey.shape);
  const former = new Set(
    before === null
      ? []
      : [before.is.cacheKey, ...before.is.invalidates, ...(isSwept ? [] : before.former)],
  );
  const is = definitionOf(resource);
  const { tables } = resource;
  return {
    is,
    ...(before === null ? {} : { before: before.is }),
    former: [...former],
    ...(tables === undefined ? {} : { tables }),
    raw: [...raw],
  };
}

/** The longest text that is shown for one side of a change. */
const MAX_TEXT = 200;

/** The differences from `from` to `to`, field by field. */
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

/** Why the cluster cannot switch to the resource; null if it can. */
export function switchFault(resource: Resource, before: StoredDefinition | null): string | null {
  if (!isStrict(resource) || before?.raw.includes(resource.cacheKey.shape) !== true) return null;
  return 'had raw entries before, and readers that know nothing of Lockstep may still fill them; allowed with strict: another template';
}
