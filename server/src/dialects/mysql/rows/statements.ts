import type { Change, Column, Key, Resource } from '../../../domain/index.ts';
import { type SentSql, sendSql } from '../../../database/connections/driver.ts';
import { memoized } from '../../../database/statements/memoized.ts';
import {
  compileSql,
  quoteName,
  quoteTable,
  renderSql,
  type CompiledSql,
} from '../../../database/statements/sql-text.ts';
import type { SqlValue } from '../../../database/statements/sql.ts';
import { relatedColumns } from '../../../database/values/stored-row.ts';
import {
  assignmentsSql,
  bindChange,
  type ChangeSql,
  insertSql,
  isKeyColumn,
} from '../../../database/write/change-sql.ts';
import { ListSql } from './list-sql.ts';
import { SQL } from './sql-texts.ts';
import { mysqlKeyBindings, mysqlValues } from './values.ts';
import { MYSQL } from '../spelling.ts';

const quote = (name: string): string => quoteName(MYSQL, name);

/**
 * Values are read by their places: the driver refuses some names of columns (`__proto__`) in its results. MySQL writes no
 * more than six digits of a `float`, and all those of a double.
 */
export const selectMysql = (columns: readonly Column[]): string =>
  columns
    .map(
      ({ name, type }, index) => `r.${quote(name)}${type === 'real' ? ' + 0e0' : ''} as c${index}`,
    )
    .join(', ');

const mysqlChange: ChangeSql = {
  quote,
  keyPart: (_, index) => `:key_${index}`,
  set: (index) => `:set_${index}`,
  step: ({ type }, index) =>
    type === 'float' || type === 'real'
      ? `(:inc_${index} + 0e0)`
      : `cast(:inc_${index} as decimal(65, 30))`,
};

/** Statements that one resource keeps compiled. */
const MAX_COMPILED = 200;

/** The statements on one resource's table. Each write sends several, so they are rendered by shape and not prepared. */
export class MysqlStatements {
  readonly related: readonly Column[];
  readonly table: string;
  readonly keyList: string;
  /** Whether the row `r` is the key's. */
  readonly isKey: string;
  readonly read: CompiledSql;
  readonly lockRow: CompiledSql;
  /** Locks the key and its row; returns the key's version and fence, and `checkedColumns` of the row. */
  readonly lockedKey: CompiledSql;
  /** Every write reads these columns before it changes the row: the key, and what `invalidates` templates name. */
  readonly checkedColumns: readonly Column[];
  /** The same with the whole row: `If-Match` compares a digest of it. */
  readonly lockedKeyWithRow: CompiledSql;
  readonly row: CompiledSql;
  readonly delete: CompiledSql;
  readonly resource: Resource;
  readonly #columns: string;
  readonly #rows: ListSql;
  readonly #checkedRows: ListSql;
  readonly #freeRows: ListSql;
  readonly #freeCheckedRows: ListSql;
  /** Statements that were compiled, by their fragments: compiling costs as much as the rest of a write. */
  readonly #compiled = new Map<string, CompiledSql>();

  constructor(resource: Resource) {
    const { keyColumns, columns } = resource;
    this.resource = resource;
    this.related = relatedColumns(resource);
    this.table = quoteTable(MYSQL, resource.table);
    this.keyList = selectMysql(keyColumns);
    this.#columns = selectMysql(columns);
    this.isKey = this.#isKey('r.');
    const fragments = { table: this.table, columns: this.#columns, isKey: this.isKey };
    const present = keyColumns.map((column) => `r.${quote(column.name)} is not null`).join(' and ');
    this.read = compile(SQL.rows['read-with-version'], {
      ...fragments,
      present,
      columns: `, ${this.#columns}`,
    });
    const isHeld = resource.epoch === undefined ? '1' : `(${SQL.keys['lock-policy']})`;
    this.checkedColumns = columns.filter(
      (column) => isKeyColumn(resource, column) || this.related.includes(column),
    );
    const locking = { ...fragments, present, isHeld };
    const looked = selectMysql(this.checkedColumns);
    this.lockedKey = compile(SQL.keys['lock-key-and-row'], { ...locking, columns: looked });
    this.lockedKeyWithRow = compile(SQL.keys['lock-key-and-row'], locking);
    this.lockRow = compile(SQL.rows['lock-row'], fragments);
    this.row = compile(SQL.rows['read-row'], fragments);
    this.#rows = this.#listSql(SQL.rows['read-rows'], this.#columns);
    this.#checkedRows = this.#listSql(SQL.rows['read-rows'], looked);
    this.#freeRows = this.#listSql(SQL.rows['lock-free-rows'], this.#columns);
    this.#freeCheckedRows = this.#listSql(SQL.rows['lock-free-rows'], looked);
    this.delete = compile(SQL.rows['delete-row'], { table: this.table, isKey: this.#isKey('') });
  }

  /** A put or a patch: inserts the row, or changes the one that is there. */
  change(key: Key, change: Exclude<Change, { op: 'delete' }>, isThere: boolean): SentSql {
    const { table, isKey } = this;
    const resource = this.resource;
    const bindings = mysqlKeyBindings(key);
    bindChange(mysqlValues, resource, change, bindings);
    const sql =
      change.op === 'put' && !isThere
        ? this.#compile(SQL.rows['insert-row'], {
            table,
            ...insertSql(mysqlChange, resource, change.set),
          })
        : this.#compile(SQL.rows['update-row'], {
            table,
            isKey,
            assignments: assignmentsSql(mysqlChange, resource, change),
          });
    return sendSql(sql, bindings);
  }

  /** The rows of several keys. */
  rows(keys: readonly Key[]): SentSql {
    return this.#keyed(this.#rows, keys);
  }

  /**
   * The same, of those rows that can be locked at once, which it locks.
   * @param isWhole all columns, and not only `checkedColumns`
   */
  lockFreeRows(keys: readonly Key[], isWhole: boolean): SentSql {
    return this.#keyed(isWhole ? this.#freeRows : this.#freeCheckedRows, keys);
  }

  /** `checkedColumns` of the rows of several keys, as far as they are committed. */
  checkedRows(keys: readonly Key[]): SentSql {
    return this.#keyed(this.#checkedRows, keys);
  }

  /** The list is filled up with its last key to a power of two: few statements stand for all lengths. */
  #keyed(sql: ListSql, keys: readonly Key[]): SentSql {
    const values: SqlValue[] = [];
    const length = 2 ** Math.ceil(Math.log2(keys.length));
    for (let row = 0; row < length; row++) {
      const parts = keys[Math.min(row, keys.length - 1)]?.parts ?? [];
      for (const [index, column] of this.resource.keyColumns.entries())
        values.push(mysqlValues.keyPart(column, parts[index] ?? ''));
    }
    return sql.send(length, values);
  }

  #listSql(template: string, columns: string): ListSql {
    const { keyColumns } = this.resource;
    const names = keyColumns.map((column) => `r.${quote(column.name)}`).join(', ');
    const item = `(${keyColumns.map((column) => comparedValue(column, '?')).join(', ')})`;
    return new ListSql(template, 'keys', item, { table: this.table, columns, names });
  }

  #compile(template: string, fragments: Record<string, string>): CompiledSql {
    const shape = `${template}\0${Object.values(fragments).join('\0')}`;
    const known = this.#compiled.get(shape);
    if (known !== undefined) return known;
    const compiled = compile(template, fragments);
    // Each set of columns that callers write has a statement: a table of fifty has more of them than memory should hold.
    if (this.#compiled.size >= MAX_COMPILED) this.#compiled.clear();
    this.#compiled.set(shape, compiled);
    return compiled;
  }

  #isKey(alias: string): string {
    const conditions = this.resource.keyColumns.flatMap((column, index) => {
      const isEqual = `${alias}${quote(column.name)} = ${comparedValue(column, `:key_${index}`)}`;
      return column.collation === undefined
        ? [isEqual]
        : [isEqual, isHeld(column.collation, `:key_${index}`)];
    });
    return conditions.join(' and ');
  }
}

/** Shared by all databases of the process. */
export const statementsOf = memoized((resource: Resource) => new MysqlStatements(resource));

const charactersOf = (collation: string): string => collation.slice(0, collation.indexOf('_'));

/** Whether the column's set of characters has every one of the text. */
const isHeld = (collation: string, placeholder: string): string =>
  `convert(convert(${placeholder} using ${charactersOf(collation)}) using utf8mb4) collate utf8mb4_bin = ${placeholder}`;

/** A column beside a value, in the column's own type; what the column cannot hold is not comparable with it. */
export function comparedSql(
  name: string,
  operator: string,
  column: Column,
  placeholder: string,
): string {
  const condition = `${name} ${operator} ${comparedValue(column, placeholder)}`;
  return column.collation === undefined
    ? condition
    : `(${condition} and ${isHeld(column.collation, placeholder)})`;
}

/**
 * A placeholder for a part of a key where it is compared with its column, in the column's own type: MySQL refuses to
 * compare texts of two sets of characters, and compares a decimal with a text as floats. What the column cannot hold
 * becomes something else by that; the row's own key then says that it is another row's.
 */
export function comparedValue({ type, sqlType, collation }: Column, placeholder: string): string {
  if (type === 'decimal') {
    return `cast(${placeholder} as ${sqlType.replace(/ (unsigned|zerofill)/gi, '')})`;
  }
  // Bits are compared as a number: MySQL finds no row by their bytes.
  if (/^bit\b/i.test(sqlType) && type === 'bytes') {
    return `cast(conv(hex(${placeholder}), 16, 10) as unsigned)`;
  }
  if (collation === undefined) return placeholder;
  return `convert(${placeholder} using ${charactersOf(collation)}) collate ${collation}`;
}

function compile(template: string, fragments: Record<string, string>): CompiledSql {
  return compileSql(MYSQL, renderSql(template, fragments));
}
