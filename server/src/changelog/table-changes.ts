/**
 * What a changed row of a table means for the cache. Pure.
 *
 * Several resources can stand on one table, each with a key of its own; a change concerns all of them.
 */
import type { Row } from '@lockstep/shared';
import { decodeValue } from '../database/index.ts';
import {
  keyFromRow,
  LockstepError,
  relatedCacheKeys,
  type Column,
  type Key,
  type Resource,
} from '../domain/index.ts';
import type { LoggedRow, LoggedValue, RowChange } from './port.ts';

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

/** The cached resources on one table. */
export class TableChanges {
  readonly resources: readonly Resource[];
  readonly #columns: ReadonlyMap<Resource, readonly Column[]>;

  constructor(resources: readonly Resource[]) {
    this.resources = resources;
    this.#columns = new Map(resources.map((resource) => [resource, neededColumns(resource)]));
  }

  effects({ before, after }: RowChange): Effect[] {
    return this.resources.map((resource) => this.#effect(resource, before, after));
  }

  #effect(resource: Resource, before: LoggedRow | null, after: LoggedRow | null): Effect {
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
    }
    const related =
      resource.invalidates.length === 0 ? [] : relatedCacheKeys(resource.invalidates, rows);
    return { resource, keys: [...keys.values()], related, lost };
  }
}

/** The tables of the resources whose entries a change can make wrong: every one that is cached. */
export function tablesOf(resources: Iterable<Resource>): Map<string, TableChanges> {
  const byTable = new Map<string, Resource[]>();
  for (const resource of resources) {
    if (resource.policy === 'none') continue;
    byTable.set(resource.table, [...(byTable.get(resource.table) ?? []), resource]);
  }
  return new Map([...byTable].map(([table, list]) => [table, new TableChanges(list)]));
}

/** The columns that the change log must tell of a resource's rows: its key's and those of its templates. */
export function neededColumns({ keyColumns, columns, invalidates }: Resource): Column[] {
  const names = new Set(invalidates.flatMap((template) => template.columns));
  const others = columns.filter(
    ({ name }) => names.has(name) && !keyColumns.some((column) => column.name === name),
  );
  return [...keyColumns, ...others];
}

/** Only what is needed, and in the form in which a read answers it; what the log leaves out is left out. */
function decode(columns: readonly Column[], logged: LoggedRow): Row {
  const row: Row = {};
  for (const { name, type } of columns) {
    const value = logged[name];
    if (value !== undefined) row[name] = decodeValue(type, textOf(value));
  }
  return row;
}

const textOf = (value: Exclude<LoggedValue, undefined>): string | Buffer | null =>
  typeof value === 'number' ? String(value) : value;

/**
 * The row's key; null where a column of it is NULL (no key names such a row), `unknown` where one is not in the log,
 * or holds what no key can be made of.
 */
function keyOf(resource: Resource, row: Row): Key | 'unknown' | null {
  if (resource.keyColumns.some(({ name }) => row[name] === undefined)) return 'unknown';
  try {
    return keyFromRow(resource, row);
  } catch (error) {
    // A row that no call could name (an empty text, a number out of range) is never cached.
    if (error instanceof LockstepError && error.code === 'INVALID') return null;
    throw error;
  }
}
