import type { RawValue } from '../../../database/connections/driver.ts';
import { columnOf, type Column, type Resource, rowsName } from '../../../domain/index.ts';
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
import type { RowWrite } from '../../../database/port.ts';
import { decodeRow } from '../../../database/values/row-text.ts';
import {
  describeColumns,
  pickRelated,
  relatedColumns,
} from '../../../database/values/stored-row.ts';
import type { Attempt } from '../../../database/write/attempt.ts';
import {
  assignmentsSql,
  type ChangeSql,
  isKeyColumn,
  isKeySql,
} from '../../../database/write/change-sql.ts';
import { stepType } from './change-sql.ts';
import { pgValues } from './values.ts';
import { SQL } from './sql-texts.ts';
import { quoteTable, renderSql } from '../../../database/statements/sql-text.ts';
import type { SqlBindings, SqlValue } from '../../../database/statements/sql.ts';
import { POSTGRES } from '../spelling.ts';

/**
 * Types whose values may travel as an array of that type and are then assigned as a single value would be. Without
 * their length or precision, which an explicit cast would silently cut values to and an assignment checks.
 */
const COMBINABLE_TYPE =
  /^(smallint|integer|bigint|numeric|real|double precision|text|character varying|boolean|uuid|date|jsonb?|timestamp with(?:out)? time zone|time with(?:out)? time zone)$/;

/** Where the row's values begin in the answer of a write. */
const ANSWER_AT = 4;

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
  readonly #isDelete: boolean;
  /** The columns that related cache keys are made of. */
  readonly #related: readonly Column[];
  readonly #carried: readonly Carried[];

  private constructor(resource: Resource, first: RowWrite, carried: readonly Carried[]) {
    this.#resource = resource;
    this.#isDelete = first.change.op === 'delete';
    this.#related = relatedColumns(resource);
    this.#carried = carried;
    this.sql = nameSql(renderCombined(resource, first, carried));
  }

  /** The statement for writes of the shape of `first`; null where they cannot be combined. */
  static of(resource: Resource, first: RowWrite): PgCombinedWrite | null {
    const { change } = first;
    if (first.ifMatch !== undefined || first.heldFences !== undefined) return null;
    if (change.op === 'put' && change.onlyCreate) return null;
    if (resource.keyColumns.some((column) => isPadded(column) || column.inexact === true))
      return null;
    const carried = [
      ...carriedKey(resource),
      ...carriedChange(resource, first),
      ...(first.idempotency === undefined ? [] : CARRIED_IDEMPOTENCY),
    ];
    return carried.every(({ type }) => COMBINABLE_TYPE.test(type))
      ? new PgCombinedWrite(resource, first, carried)
      : null;
  }

  /** The attempts of the writes, in their order; null where the statement left one over. */
  attempts(writes: readonly RowWrite[], rows: readonly RawValue[][]): (Attempt | null)[] {
    const attempts = writes.map((): Attempt | null => null);
    for (const values of rows) {
      const [place = null] = values;
      if (place !== null) attempts[Number(place)] = this.#attempt(values);
    }
    return attempts;
  }

  #attempt(values: readonly RawValue[]): Attempt {
    const [, version, outboxId = null] = values;
    const related = this.#related;
    const row = this.#isDelete ? null : decodeRow(this.#resource.columns, values, ANSWER_AT);
    const beforeAt = ANSWER_AT + (this.#isDelete ? 0 : this.#resource.columns.length);
    return {
      status: 'applied',
      created: false,
      version: Number(version),
      row,
      outboxId: outboxId === null ? null : String(outboxId),
      related: {
        before: related.length === 0 ? null : decodeRow(related, values, beforeAt),
        after: pickRelated(related, row),
      },
    };
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
    const [first] = writes;
    const related = this.#related;
    if (first?.outbox === true && related.length > 0)
      bindings.related_types = describeColumns(related);
    if (first?.idempotency !== undefined)
      bindings.column_types = describeColumns(this.#resource.columns);
    if (first?.secondDeleteAfterMs !== undefined) {
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

/** The idempotency key that each write brings along, and the hash of its request. */
const CARRIED_IDEMPOTENCY: readonly Carried[] = [
  { name: 'idempotency_key', type: 'text', value: ({ idempotency }) => idempotency?.key ?? null },
  {
    name: 'request_hash',
    type: 'text',
    value: ({ idempotency }) => idempotency?.requestHash ?? null,
  },
];

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
  const isDelete = change.op === 'delete';
  const related = relatedColumns(resource);
  const answered = isDelete ? [] : resource.columns;
  const conditions = [
    ...(resource.epoch === undefined ? [] : [SQL.keys['is-policy-current']]),
    ...(first.idempotency === undefined ? [] : [SQL.write['is-no-repeat']]),
  ];
  const fragments = {
    table: quoteTable(POSTGRES, resource.table, resource.schema),
    isKey: isKeySql(askedChange, resource),
  };
  const returned = [
    ...answered.map((column, index) => `, ${select('r', column)} as c${index}`),
    ...related.map((_, index) => `, asked.b${index}`),
    ...(first.idempotency === undefined ? [] : [', asked.idempotency_key, asked.request_hash']),
    ...(first.fence === undefined ? [] : [', asked.fence']),
  ];
  return renderSql(SQL.write['write-rows'], {
    ...fragments,
    current: conditions.length === 0 ? '' : `where ${conditions.join(' and ')}`,
    arrays: carried.map(({ type }, index) => `, :carried_${index}::${type}[]`).join(''),
    names: carried.map(({ name }) => `, ${name}`).join(''),
    before: related.map((column, index) => `${select('r', column)} as b${index}`).join(', '),
    // A row that others refer to cannot be deleted while they look at it.
    lock: isDelete ? 'for update' : 'for no key update',
    rowXid: isDelete ? `'0'` : 'null',
    admitted: first.fence === undefined ? 'true' : 'k.fence < excluded.fence',
    change: isDelete
      ? renderSql(SQL.write['delete-rows'], fragments)
      : renderSql(SQL.write['update-rows'], {
          ...fragments,
          assignments: assignmentsSql(askedChange, resource, change),
        }),
    returned: returned.join(''),
    noted: first.outbox ? renderNoted(resource, first) : '',
    remembered:
      first.idempotency === undefined
        ? ''
        : renderSql(SQL.write['with-outcomes'], {
            fence: first.fence === undefined ? 'null::bigint' : 'changed.fence',
            values: isDelete ? 'null::json' : textArray(answered.map((_, index) => `c${index}`)),
          }),
    outboxId: first.outbox ? 'noted.id' : 'null',
    answer: [
      ...answered.map((_, index) => `, changed.c${index}`),
      ...related.map((_, index) => `, changed.b${index}`),
    ].join(''),
    joinNoted: first.outbox ? 'left join noted on noted.key = changed.key' : '',
  });
}

function renderNoted(resource: Resource, { change, secondDeleteAfterMs }: RowWrite): string {
  const columns = relatedColumns(resource);
  const before = textArray(columns.map((_, index) => `b${index}`));
  const after =
    change.op === 'delete'
      ? 'null'
      : textArray(columns.map((column) => `c${resource.columns.indexOf(column)}`));
  const related =
    columns.length === 0
      ? 'null::json'
      : `json_build_object('columns', :related_types::json, 'before', ${before}, 'after', ${after})`;
  const noted = renderSql(SQL.write['with-outbox-rows'], { related });
  return secondDeleteAfterMs === undefined
    ? noted
    : noted + renderSql(SQL.write['with-second-deletes'], { related });
}

/** Columns of `changed` as a JSON list of texts. */
const textArray = (names: readonly string[]): string =>
  `array_to_json(array[${names.map((name) => `changed.${name}::text`).join(', ')}])`;
