import { columnOf, type Resource, rowsName } from '../../domain/index.ts';
import {
  isPadded,
  keyType,
  nameSql,
  quote,
  select,
  withoutModifier,
  type NamedSql,
} from './names.ts';
import { encodedColumn } from './write-bindings.ts';
import type { RowWrite } from '../port.ts';
import { assignmentsSql, type ChangeSql, isKeyColumn, isKeySql } from '../write/change-sql.ts';
import { stepType } from './change-sql.ts';
import { pgValues } from './values.ts';
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
    value: ({ key }) => pgValues.keyPart(column, key.parts[index] ?? ''),
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

const askedChange: ChangeSql = {
  quote,
  keyPart: (_, index) => `asked.key_${index}`,
  set: (index) => `asked.set_${index}`,
  step: (_, index) => `asked.inc_${index}`,
};

function renderCombined(resource: Resource, first: RowWrite, carried: readonly Carried[]): string {
  const { change } = first;
  return renderSql(SQL.write['write-rows'], {
    current: resource.epoch === undefined ? '' : `where ${SQL.keys['is-policy-current']}`,
    table: quoteTable('pg', resource.table, resource.schema),
    arrays: carried.map(({ type }, index) => `, :carried_${index}::${type}[]`).join(''),
    names: carried.map(({ name }) => `, ${name}`).join(''),
    isKey: isKeySql(askedChange, resource),
    admitted: first.fence === undefined ? 'true' : 'k.fence < excluded.fence',
    assignments: change.op === 'delete' ? '' : assignmentsSql(askedChange, resource, change),
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
