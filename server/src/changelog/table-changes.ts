/**
 * Works out which cache entries are wrong after a row has changed. Without state or side effects.
 *
 * Several resources can have the same table, each with its own key. A change of a row concerns all of them.
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

/** Lockstep writes a row of this table with each change that it makes, so the log shows which changes are its own. */
export const KEYS_TABLE = 'lockstep_keys';

/** What one changed row means for one resource. */
export interface Effect {
  resource: Resource;
  /** The row's key; two keys if the change gave the row another one. */
  keys: Key[];
  /** The cache keys that the resource's `invalidates` templates give for the row. */
  related: string[];
  /** Why some keys to invalidate are unknown, so that the resource must be swept; null if all are known. */
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

  /** The resources whose entries are swept when it is unknown which rows of the table were changed. */
  get names(): string[] {
    return [...new Set([...this.resources, ...this.dependents].map(({ name }) => name))];
  }

  /** All columns that the log must contain, each once. */
  get columns(): Column[] {
    const all = [
      ...[...this.#columns.values()].flat(),
      ...this.dependents.flatMap(({ dependency }) => dependency.columns),
      ...this.identity,
    ];
    return [...new Map(all.map((column) => [column.name, column])).values()];
  }

  /** The columns that identify a row of the table. */
  get identity(): readonly Column[] {
    return this.resources[0]?.keyColumns ?? this.dependents[0]?.dependency.identity ?? [];
  }

  /** What the change means for the queries that depend on the table. The results of queries have no versions. */
  derivedEffects(change: RowChange): Effect[] {
    return this.dependents.map((dependent) => derivedEffect(dependent, change));
  }

  /** What the change means for each resource on the table. */
  effects(change: RowChange): Effect[] {
    return this.resources.map((resource) => this.#effect(resource, change));
  }

  #effect(resource: Resource, { before, after, isPartial }: RowChange): Effect {
    const columns = this.#columns.get(resource) ?? [];
    const rows = {
      before: before === null ? null : decodeLogged(columns, before),
      after: after === null ? null : decodeLogged(columns, after),
    };
    const keys = new Map<string, Key>();
    let lost: string | null = null;
    for (const [when, row] of [
      ['before', rows.before],
      ['after', rows.after],
    ] as const) {
      if (row === null) continue;
      const key = keyOf(resource, row);
      if (key === 'unknown') lost = `the log does not contain the row's key ${when} the change`;
      else if (key !== null) keys.set(key.text, key);
      const missing = isPartial
        ? columns.find(({ name }) => columnOf(row, name) === undefined)
        : undefined;
      if (missing !== undefined) lost = missingText(missing, when);
    }
    const related =
      resource.invalidates.length === 0 ? [] : relatedCacheKeys(resource.invalidates, rows);
    return { resource, keys: [...keys.values()], related, lost };
  }
}

/**
 * The tables whose changes can make entries wrong: those of cached resources, of resources with `invalidates`
 * templates, and those that cached queries depend on.
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
      for (const dependency of resource.derivation.dependsOn) {
        at(dependency.table).dependents.push({ name: resource.name, resource, dependency });
      }
    } else if (isCached(resource) || resource.invalidates.length > 0) {
      at(resource.table).resources.push(resource);
    }
  }
  return new Map(
    [...byTable].map(([table, found]) => [
      table,
      new TableChanges(found.resources, found.dependents),
    ]),
  );
}

function derivedEffect({ resource, dependency }: Dependent, change: RowChange): Effect {
  const { columns } = dependency;
  const after = change.after === null ? null : decodeLogged(columns, change.after);
  const before = rowBefore(columns, change);
  const keys = new Map<string, Key>();
  let lost: string | null = null;
  for (const [when, row] of [
    ['before', before],
    // The log may leave a large unchanged value out of the row after an update. It is then taken from the row before.
    ['after', after === null ? null : { ...before, ...after }],
  ] as const) {
    if (row === null) continue;
    const missing = columns.find(({ name }) => columnOf(row, name) === undefined);
    if (missing !== undefined) lost = missingText(missing, when);
    const key = missing === undefined ? derivedKey(resource, dependency, row) : null;
    if (key !== null) keys.set(key.text, key);
  }
  return { resource, keys: [...keys.values()], related: [], lost };
}

function rowBefore(
  columns: readonly Column[],
  { before, after, unchanged }: RowChange,
): Row | null {
  if (before !== null) return decodeLogged(columns, before);
  if (unchanged === undefined || after === null) return null;
  return decodeLogged(
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

const missingText = ({ name }: Column, when: 'before' | 'after'): string =>
  `the log does not contain ${name} ${when} the change`;

/** These columns of the row, with values as a read returns them. Columns that the log leaves out are missing. */
export function decodeLogged(columns: readonly Column[], logged: LoggedRow): Row {
  const row = emptyRow();
  for (const { name, type, sqlType } of columns) {
    const value = columnOf(logged, name);
    if (value === undefined) continue;
    // The binlog counts years from 1900, so year 0000 arrives as 1900. A `year` column cannot contain 1900 itself.
    const isYearZero = value === 1900 && /^year\b/i.test(sqlType);
    row[name] = isYearZero ? 0 : decodeValue(loggedType(type, sqlType), textOf(value));
  }
  return row;
}

/** The binlog contains a `timestamp` in UTC, whatever the session's time zone. */
const loggedType = (type: ColumnType, sqlType: string): ColumnType =>
  isLocalTime(type) && /^timestamp(\(\d\))?$/i.test(sqlType) ? 'timestamp' : type;

const textOf = (value: Exclude<LoggedValue, undefined>): string | Buffer | null =>
  typeof value === 'number' ? String(value) : value;

/** The row's key; null if no call can name the row, `unknown` if the log leaves out a column of the key. */
function keyOf(resource: Resource, row: Row): Key | 'unknown' | null {
  if (resource.keyColumns.some(({ name }) => columnOf(row, name) === undefined)) return 'unknown';
  return keyFromRow(resource, row);
}
