import { columnOf, type Column, type Resource, rowsName } from '../../domain/index.ts';
import {
  isPadded,
  keyType,
  nameSql,
  quote,
  select,
  STEP_TYPES,
  withoutModifier,
  type NamedSql,
} from './names.ts';
import { encodedColumn } from './write-bindings.ts';
import type { RowWrite } from '../port.ts';
import { isKeyColumn, replacedColumns } from '../write/put-columns.ts';
import { encodeKeyPart } from './values.ts';
import { SQL } from './sql-texts.ts';
import { quoteTable, renderSql } from '../statements/sql-text.ts';
import type { SqlBindings, SqlValue } from '../statements/sql.ts';

/**
 * Types whose values may travel as an array of that type and are then assigned as a single value would be. Without
 * their length or precision, which an explicit cast would silently cut values to and an assignment checks.
 */
const COMBINABLE_TYPE =
  /^(smallint|integer|bigint|numeric|real|double precision|text|character varying|boolean|uuid|date|jsonb?|timestamp with(?:out)? time zone|time with(?:out)? time zone)$/;

/** A column whose new value each write brings along. */
interface Carried {
  name: string;
  type: string;
  value: (write: RowWrite) => SqlValue;
}

/** One statement for many writes of one shape to different rows of one resource. */
export class PgCombinedWrite {
  readonly sql: NamedSql;
  readonly #resource: Resource;
  readonly #carried: readonly Carried[];

  private constructor(resource: Resource, first: RowWrite, carried: readonly Carried[]) {
    this.#resource = resource;
    this.#carried = carried;
    this.sql = nameSql(renderCombined(resource, first, carried));
  }

  /** The statement for writes of the shape of `first`; null where they cannot be combined. */
  static of(resource: Resource, first: RowWrite): PgCombinedWrite | null {
    const { change } = first;
    const isPlain =
      first.ifMatch === undefined &&
      first.heldFences === undefined &&
      first.idempotency === undefined;
    if (!isPlain || change.op === 'delete' || resource.invalidates.length > 0) return null;
    if (change.op === 'put' && change.onlyCreate) return null;
    if (resource.keyColumns.some((column) => isPadded(column) || column.inexact === true))
      return null;
    const carried = [...carriedKey(resource), ...carriedChange(resource, first)];
    return carried.every(({ type }) => COMBINABLE_TYPE.test(type))
      ? new PgCombinedWrite(resource, first, carried)
      : null;
  }

  bindings(writes: readonly RowWrite[]): SqlBindings {
    const bindings: Record<string, SqlBindings[string]> = {
      resource: rowsName(this.#resource),
      ...(this.#resource.epoch === undefined
        ? {}
        : { policy: this.#resource.name, epoch: this.#resource.epoch }),
      places: writes.map((_, place) => String(place)),
      keys: writes.map(({ key }) => key.rowText),
      fences: writes.map(({ fence }) => String(fence ?? 0)),
    };
    if (writes[0]?.secondDeleteAfterMs !== undefined) {
      bindings.second_delete_after_ms = Math.max(
        ...writes.map(({ secondDeleteAfterMs = 0 }) => secondDeleteAfterMs),
      );
    }
    for (const [index, { value }] of this.#carried.entries()) {
      bindings[`carried_${index}`] = writes.map((write) => {
        const encoded = value(write);
        return encoded === null ? null : String(encoded);
      });
    }
    return bindings;
  }
}

function carriedKey({ keyColumns }: Resource): Carried[] {
  return keyColumns.map((column, index) => ({
    name: `key_${index}`,
    type: keyType(column),
    value: ({ key }) => encodeKeyPart(column, key.parts[index] ?? ''),
  }));
}

function carriedChange(resource: Resource, { change }: RowWrite): Carried[] {
  return resource.columns.flatMap((column, index): Carried[] => {
    if (change.op === 'delete' || isKeyColumn(resource, column)) return [];
    if (Object.hasOwn(change.set, column.name)) {
      const type = withoutModifier(column.sqlType);
      return [{ name: `set_${index}`, type, value: (write) => encodedColumn(write, column) }];
    }
    if (change.op === 'put' || !Object.hasOwn(change.increment, column.name)) return [];
    const value = ({ change: { op, ...rest } }: RowWrite): SqlValue =>
      op === 'patch' && 'increment' in rest
        ? (columnOf(rest.increment, column.name) ?? null)
        : null;
    return [{ name: `inc_${index}`, type: stepType(column), value }];
  });
}

const stepType = (column: Column): string =>
  (STEP_TYPES[column.type] ?? 'numeric').replace('float8', 'double precision');

function renderCombined(resource: Resource, first: RowWrite, carried: readonly Carried[]): string {
  return renderSql(SQL.write['write-rows'], {
    current: resource.epoch === undefined ? '' : `where ${SQL.keys['is-policy-current']}`,
    table: quoteTable('pg', resource.table, resource.schema),
    arrays: carried.map(({ type }, index) => `, :carried_${index}::${type}[]`).join(''),
    names: carried.map(({ name }) => `, ${name}`).join(''),
    isKey: resource.keyColumns
      .map((column, index) => `r.${quote(column.name)} = asked.key_${index}`)
      .join(' and '),
    admitted: first.fence === undefined ? 'true' : 'k.fence < excluded.fence',
    assignments: assignments(resource, first),
    columns: resource.columns
      .map((column, index) => `, ${select('r', column)} as c${index}`)
      .join(''),
    noted: first.outbox
      ? SQL.write['with-outbox-rows'] +
        (first.secondDeleteAfterMs === undefined ? '' : SQL.write['with-second-deletes'])
      : '',
    outboxId: first.outbox ? 'noted.id' : 'null',
    answer: resource.columns.map((_, index) => `, changed.c${index}`).join(''),
    joinNoted: first.outbox ? 'left join noted on noted.key = changed.key' : '',
  });
}

function assignments(resource: Resource, { change }: RowWrite): string {
  const set = change.op === 'delete' ? {} : change.set;
  const given = new Set(Object.keys(set));
  const replaced = change.op === 'put' ? replacedColumns(resource, given) : [];
  const parts = resource.columns.flatMap((column, index) => {
    const name = quote(column.name);
    if (isKeyColumn(resource, column)) return [];
    if (given.has(column.name)) return [`${name} = asked.set_${index}`];
    if (change.op === 'patch' && Object.hasOwn(change.increment, column.name))
      return [`${name} = r.${name} + asked.inc_${index}`];
    return replaced.includes(column) ? [`${name} = default`] : [];
  });
  if (parts.length > 0) return parts.join(', ');
  const name = quote(resource.keyColumns[0]?.name ?? '');
  return `${name} = r.${name}`;
}
