import type { Column, Resource } from '../domain/index.ts';
import type { RowWrite } from './port.ts';
import { isKeyColumn, replacedColumns } from './put-columns.ts';
import beforeSql from './sql/pg/before.sql?raw';
import deleteSql from './sql/pg/change-delete.sql?raw';
import patchSql from './sql/pg/change-patch.sql?raw';
import putSql from './sql/pg/change-put.sql?raw';
import noteSql from './sql/pg/note-outbox.sql?raw';
import readManySql from './sql/pg/read-many.sql?raw';
import readSql from './sql/pg/read.sql?raw';
import rememberSql from './sql/pg/remember-outcome.sql?raw';
import writeSql from './sql/pg/write.sql?raw';
import { compileSql, quoteName, renderSql, type CompiledSql } from './sql-text.ts';
import { relatedColumns } from './stored-row.ts';

/** A statement that each connection prepares once. */
export interface NamedSql extends CompiledSql {
  /** Undefined beyond the bound on prepared statements. */
  name: string | undefined;
}

/** Bound on the statements that each connection of this process keeps prepared. */
const MAX_PREPARED = 500;
let prepared = 0;

export function nameSql(sql: string): NamedSql {
  const compiled = compileSql('pg', sql);
  return { ...compiled, name: prepared < MAX_PREPARED ? `lockstep_${++prepared}` : undefined };
}

const quote = (name: string): string => quoteName('pg', name);

/** The statements on one resource's table, each rendered at its first use. */
export class PgStatements {
  readonly related: readonly Column[];
  readonly read: NamedSql;
  readonly readMany: NamedSql;
  readonly table: string;
  /** The key's columns, for a select list. */
  readonly keyList: string;
  readonly #resource: Resource;
  readonly #writes = new Map<string, NamedSql>();

  constructor(resource: Resource) {
    const { keyColumns, columns } = resource;
    this.#resource = resource;
    this.related = relatedColumns(resource);
    this.table = quote(resource.table);
    this.keyList = keyColumns.map((column) => select('r', column)).join(', ');
    const fragments = {
      table: this.table,
      present: keyColumns.map((column) => `r.${quote(column.name)} is not null`).join(' and '),
      columns: columns.map((column) => `, ${select('r', column)}`).join(''),
    };
    this.read = nameSql(renderSql(readSql, { ...fragments, isKey: this.#isKey() }));
    this.readMany = nameSql(
      renderSql(readManySql, {
        ...fragments,
        partArrays: keyColumns.map((_, index) => `, :parts_${index}::text[]`).join(''),
        partNames: keyColumns.map((_, index) => `, part_${index}`).join(''),
        isKey: keyColumns
          .map(
            (column, index) => `r.${quote(column.name)} = asked.part_${index}::${keyType(column)}`,
          )
          .join(' and '),
      }),
    );
  }

  /** The statement for writes of this shape. */
  write(write: RowWrite): NamedSql {
    const shape = shapeOf(this.#resource, write);
    let sql = this.#writes.get(shape);
    if (sql === undefined) {
      sql = nameSql(this.#renderWrite(write));
      if (this.#writes.size < MAX_PREPARED) this.#writes.set(shape, sql);
    }
    return sql;
  }

  #renderWrite(write: RowWrite): string {
    const { change } = write;
    const hasBefore = this.related.length > 0 && change.op !== 'delete';
    const expected = write.ifMatch === undefined ? 'true' : 'version = :if_match::bigint + 1';
    const answered = change.op === 'delete' ? this.related : this.#resource.columns;
    const fence = write.fence === undefined ? '0' : ':fence';
    return renderSql(writeSql, {
      fence,
      where: this.#precondition(write),
      admitted: admitted(write),
      expected,
      before: hasBefore
        ? renderSql(beforeSql, {
            table: this.table,
            columns: this.related
              .map((column, index) => `, ${select('r', column)} as b${index}`)
              .join(''),
            isKey: this.#isKey(),
          })
        : '',
      change: this.#renderChange(write, hasBefore ? 'left join before on true' : ''),
      noted: write.outbox
        ? renderSql(noteSql, {
            related: this.#relatedJson(write),
            joinBefore: hasBefore ? 'left join before on true' : '',
          })
        : '',
      remembered:
        write.idempotency === undefined
          ? ''
          : renderSql(rememberSql, {
              fence: write.fence === undefined ? 'null' : ':fence',
              values:
                change.op === 'delete' ? 'null::json' : textArray('changed.c', answered.length),
            }),
      outboxId: write.outbox ? 'noted.id' : 'null',
      moved: hasBefore ? '(not changed.created and before.present is null)' : 'false',
      answer: [
        ...answered.map((_, index) => `, changed.c${index}`),
        ...(hasBefore ? this.related.map((_, index) => `, before.b${index}`) : []),
      ].join(''),
      joins: [
        write.outbox ? 'left join noted on true' : '',
        hasBefore ? 'left join before on true' : '',
      ].join('\n'),
    });
  }

  /** What can be told from the snapshot already is refused without an error, which servers would log. */
  #precondition({ change }: RowWrite): string {
    const row = `select from ${this.table} as r where ${this.#isKey()}`;
    if (change.op === 'put') return change.onlyCreate ? `where not exists (${row})` : '';
    return `where exists (${row})`;
  }

  #renderChange({ change }: RowWrite, afterBefore: string): string {
    const { keyColumns, columns } = this.#resource;
    if (change.op === 'delete') {
      return renderSql(deleteSql, {
        table: this.table,
        isKey: this.#isKey(),
        columns: this.related
          .map((column, index) => `, ${select('r', column)} as c${index}`)
          .join(''),
      });
    }
    const answer = columns.map((column, index) => `, ${select('r', column)} as c${index}`).join('');
    if (change.op === 'patch') {
      const assignments = columns.flatMap((column, index) => {
        const name = quote(column.name);
        if (isKeyColumn(this.#resource, column)) return [];
        if (Object.hasOwn(change.set, column.name)) return [`${name} = :set_${index}`];
        if (!Object.hasOwn(change.increment, column.name)) return [];
        return [
          `${name} = r.${name} + :inc_${index}::${column.type === 'float' ? 'float8' : 'numeric'}`,
        ];
      });
      const [first] = keyColumns;
      if (assignments.length === 0 && first !== undefined) {
        assignments.push(`${quote(first.name)} = r.${quote(first.name)}`);
      }
      const fragments = {
        table: this.table,
        assignments: assignments.join(', '),
        isKey: this.#isKey(),
      };
      return renderSql(patchSql, { ...fragments, afterBefore, columns: answer });
    }
    const given = columns.flatMap((column, index) =>
      Object.hasOwn(change.set, column.name) && !isKeyColumn(this.#resource, column)
        ? [{ name: quote(column.name), value: `:set_${index}` }]
        : [],
    );
    const key = keyColumns.map((column, index) => ({
      name: quote(column.name),
      value: `:key_${index}::${keyType(column)}`,
    }));
    return renderSql(putSql, {
      table: this.table,
      names: [...key, ...given].map(({ name }) => name).join(', '),
      overriding: keyColumns.some((column) => column.generated) ? 'overriding system value' : '',
      values: [...key, ...given].map(({ value }) => value).join(', '),
      afterBefore,
      key: keyColumns.map((column) => quote(column.name)).join(', '),
      onConflict: change.onlyCreate
        ? 'do nothing'
        : `do update set ${this.#replacement(new Set(Object.keys(change.set)))}`,
      columns: answer,
    });
  }

  /** Every writable column: those that are not given have their default in `excluded`. */
  #replacement(given: ReadonlySet<string>): string {
    const replaced = replacedColumns(this.#resource, given);
    const columns = replaced.length > 0 ? replaced : this.#resource.keyColumns.slice(0, 1);
    return columns
      .map((column) => `${quote(column.name)} = excluded.${quote(column.name)}`)
      .join(', ');
  }

  #relatedJson({ change }: RowWrite): string {
    const count = this.related.length;
    if (count === 0) return 'null::json';
    const places = this.related.map((column) => this.#resource.columns.indexOf(column));
    const before =
      change.op === 'delete'
        ? textArray('changed.c', count)
        : `case when before.present then ${textArray('before.b', count)} end`;
    const after =
      change.op === 'delete'
        ? 'null'
        : `array_to_json(array[${places.map((place) => `changed.c${place}::text`).join(', ')}])`;
    return `json_build_object('columns', :related_types::json, 'before', ${before}, 'after', ${after})`;
  }

  #isKey(): string {
    return this.#resource.keyColumns
      .map((column, index) => `r.${quote(column.name)} = :key_${index}::${keyType(column)}`)
      .join(' and ');
  }
}

function admitted(write: RowWrite): string {
  const conditions = [
    write.fence === undefined ? [] : ['k.fence < excluded.fence'],
    write.ifMatch === undefined ? [] : ['k.version = :if_match::bigint'],
  ].flat();
  return conditions.length === 0 ? 'true' : conditions.join(' and ');
}

/** Two writes of one shape are the same statement. */
function shapeOf(resource: Resource, write: RowWrite): string {
  const { change } = write;
  let shape = `${change.op} ${write.ifMatch === undefined ? '' : 'm'}${write.fence === undefined ? '' : 'f'}`;
  if (write.idempotency !== undefined) shape += 'i';
  if (write.outbox) shape += 'o';
  if (change.op === 'delete') return shape;
  if (change.op === 'put' && change.onlyCreate) shape += 'c';
  for (const [index, column] of resource.columns.entries()) {
    if (Object.hasOwn(change.set, column.name)) shape += ` ${index}`;
    else if (change.op === 'patch' && Object.hasOwn(change.increment, column.name))
      shape += ` +${index}`;
  }
  return shape;
}

/** `character(n)` pads with blanks that mean nothing; as text it has none. */
function select(alias: string, column: Column): string {
  const name = `${alias}.${quote(column.name)}`;
  return isPadded(column) ? `${name}::text` : name;
}

/** Types that compare with the column through its index and are assigned to it without loss. */
function keyType(column: Column): string {
  if (column.type === 'integer' || column.type === 'bigint') return 'bigint';
  if (column.type === 'uuid') return 'uuid';
  return isPadded(column) ? 'bpchar' : 'text';
}

export const isPadded = (column: Column): boolean => /^character(\(|$)/.test(column.sqlType);

function textArray(prefix: string, count: number): string {
  const items = Array.from({ length: count }, (_, index) => `${prefix}${index}::text`);
  return `array_to_json(array[${items.join(', ')}])`;
}
