/**
 * What a changed row of a table means for the cache. Pure.
 *
 * Several resources can stand on one table, each with a key of its own; a change concerns all of them.
 */
import type { Row } from '@lockstep/shared';
import { decodeValue } from '../database/index.ts';
import {
  type Column,
  columnOf,
  type ColumnType,
  type Dependency,
  derivedKey,
  type DerivedResource,
  emptyRow,
  isCached,
  isDerived,
  isLocalTime,
  type Key,
  keyFromRow,
  relatedCacheKeys,
  type Resource,
} from '../domain/index.ts';
import type { LoggedRow, LoggedValue, RowChange } from './port.ts';

/** Lockstep's own table, whose changes show which other changes are Lockstep's. */
export const KEYS_TABLE = 'lockstep_keys';

/** What one changed row means for one resource. */
export interface Effect {
  resource: Resource;
  /** The row's keys, before and after where they differ. */
  keys: Key[];
  /** Cache keys that hang on the row by the resource's `invalidates` templates. */
  related: string[];
  /** Why the row's keys are not all known; null where they are. */
  lost: string | null;
}

/** A query that depends on a table. */
export interface Dependent {
  name: string;
  resource: DerivedResource;
  dependency: Dependency;
}

/** The cached resources on one table, and the queries that depend on it. */
export class TableChanges {
  readonly resources: readonly Resource[];
  readonly dependents: readonly Dependent[];
  readonly #columns: ReadonlyMap<Resource, readonly Column[]>;

  constructor(resources: readonly Resource[], dependents: readonly Dependent[] = []) {
    this.resources = resources;
    this.dependents = dependents;
    this.#columns = new Map(resources.map((resource) => [resource, neededColumns(resource)]));
  }

  /** Every resource whose entries are swept when the table's changes are not known. */
  get names(): string[] {
    return [...new Set([...this.resources, ...this.dependents].map(({ name }) => name))];
  }

  /** All columns that the log must tell, each once. */
  get columns(): Column[] {
    const all = [
      ...[...this.#columns.values()].flat(),
      ...this.dependents.flatMap(({ dependency }) => dependency.columns),
      ...this.identity,
    ];
    return [...new Map(all.map((column) => [column.name, column])).values()];
  }

  /** Columns that name one row of the table. */
  get identity(): readonly Column[] {
    return this.resources[0]?.keyColumns ?? this.dependents[0]?.dependency.identity ?? [];
  }

  /** What the change means for the answers of queries, which have no versions. */
  derivedEffects(change: RowChange): Effect[] {
    return this.dependents.map((dependent) => derivedEffect(dependent, change));
  }

  effects(change: RowChange): Effect[] {
    return this.resources.map((resource) => this.#effect(resource, change));
  }

  #effect(resource: Resource, { before, after, isPartial }: RowChange): Effect {
    const columns = this.#columns.get(resource) ?? [];
    const rows = {
      before: before === null ? null : decode(columns, before),
      after: after === null ? null : decode(columns, after),
    };
    const keys = new Map<string, Key>();
    let lost: string | null = null;
    for (const [when, row] of [
      ['before', rows.before],
      ['after', rows.after],
    ] as const) {
      if (row === null) continue;
      const key = keyOf(resource, row);
      if (key === 'unknown') lost = `the log does not tell the row's key ${when} the change`;
      else if (key !== null) keys.set(key.text, key);
      const untold = isPartial
        ? columns.find(({ name }) => columnOf(row, name) === undefined)
        : null;
      if (untold) lost = `the log does not tell ${untold.name} ${when} the change`;
    }
    const related =
      resource.invalidates.length === 0 ? [] : relatedCacheKeys(resource.invalidates, rows);
    return { resource, keys: [...keys.values()], related, lost };
  }
}

/**
 * The tables of the resources whose entries a change can make wrong: every one that is cached, that others' entries
 * hang on, or that a cached query depends on.
 */
export function tablesOf(resources: Iterable<Resource>): Map<string, TableChanges> {
  const byTable = new Map<string, { resources: Resource[]; dependents: Dependent[] }>();
  const at = (table: string) => {
    const found = byTable.get(table) ?? { resources: [], dependents: [] };
    byTable.set(table, found);
    return found;
  };
  for (const resource of resources) {
    if (isDerived(resource)) {
      if (!isCached(resource)) continue;
      for (const dependency of resource.query.dependsOn) {
        at(dependency.table).dependents.push({ name: resource.name, resource, dependency });
      }
    } else if (isCached(resource) || resource.invalidates.length > 0) {
      at(resource.table).resources.push(resource);
    }
  }
  return new Map(
    [...byTable].map(([table, of]) => [table, new TableChanges(of.resources, of.dependents)]),
  );
}

function derivedEffect({ resource, dependency }: Dependent, change: RowChange): Effect {
  const { columns } = dependency;
  const after = change.after === null ? null : decode(columns, change.after);
  const before = rowBefore(columns, change);
  const keys = new Map<string, Key>();
  let lost: string | null = null;
  for (const [when, row] of [
    ['before', before],
    // What an update leaves out of the row after (a large value that stayed) is as it was before.
    ['after', after === null ? null : { ...before, ...after }],
  ] as const) {
    if (row === null) continue;
    const untold = columns.find(({ name }) => columnOf(row, name) === undefined);
    if (untold !== undefined) lost = `the log does not tell ${untold.name} ${when} the change`;
    const key = untold === undefined ? derivedKey(resource, dependency, row) : null;
    if (key !== null) keys.set(key.text, key);
  }
  return { resource, keys: [...keys.values()], related: [], lost };
}

function rowBefore(
  columns: readonly Column[],
  { before, after, unchanged }: RowChange,
): Row | null {
  if (before !== null) return decode(columns, before);
  if (unchanged === undefined || after === null) return null;
  return decode(
    columns.filter(({ name }) => unchanged.includes(name)),
    after,
  );
}

/** The columns of a resource's rows that the change log must contain: those of its key and of its templates. */
export function neededColumns({ keyColumns, columns, invalidates }: Resource): Column[] {
  const names = new Set(invalidates.flatMap((template) => template.columns));
  const others = columns.filter(
    ({ name }) => names.has(name) && !keyColumns.some((column) => column.name === name),
  );
  return [...keyColumns, ...others];
}

/** Only the columns that are needed, in the form that a read returns; columns that the log leaves out are left out. */
function decode(columns: readonly Column[], logged: LoggedRow): Row {
  const row = emptyRow();
  for (const { name, type, sqlType } of columns) {
    const value = columnOf(logged, name);
    if (value === undefined) continue;
    // The binlog counts years from 1900, which the type does not have: it means 0000.
    const isYearZero = value === 1900 && /^year\b/i.test(sqlType);
    row[name] = isYearZero ? 0 : decodeValue(loggedType(type, sqlType), textOf(value));
  }
  return row;
}

/** The binlog has a `timestamp` in UTC, regardless of the sessions' time zones. */
const loggedType = (type: ColumnType, sqlType: string): ColumnType =>
  isLocalTime(type) && /^timestamp(\(\d\))?$/i.test(sqlType) ? 'timestamp' : type;

const textOf = (value: Exclude<LoggedValue, undefined>): string | Buffer | null =>
  typeof value === 'number' ? String(value) : value;

/** The row's key; null where no call can name the row, `unknown` where a column of the key is not in the log. */
function keyOf(resource: Resource, row: Row): Key | 'unknown' | null {
  if (resource.keyColumns.some(({ name }) => columnOf(row, name) === undefined)) return 'unknown';
  return keyFromRow(resource, row);
}
