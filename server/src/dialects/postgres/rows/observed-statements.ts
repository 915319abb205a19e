import type { Column, Resource } from '../../../domain/index.ts';
import { admitted, insertFragments, pgChange } from './change-sql.ts';
import { MAX_PREPARED, nameSql, quote, select, type NamedSql } from './names.ts';
import type { RowWrite } from '../../../database/port.ts';
import {
  assignmentsSql,
  isKeyColumn,
  isKeySql,
  replacedColumns,
} from '../../../database/write/change-sql.ts';
import { SQL } from './sql-texts.ts';
import { quoteTable, renderSql } from '../../../database/statements/sql-text.ts';
import { relatedColumns } from '../../../database/values/stored-row.ts';
import { POSTGRES } from '../spelling.ts';

/** The statements of a write in steps on one resource's table, each rendered at its first use. */
export class PgObservedStatements {
  readonly related: readonly Column[];
  readonly lockRow: NamedSql;
  /** The same where children hang on it by foreign keys: none comes in between. */
  readonly lockParent: NamedSql;
  readonly row: NamedSql;
  readonly #resource: Resource;
  readonly #fragments: { table: string; isKey: string; columns: string };
  readonly #rendered = new Map<string, NamedSql>();

  constructor(resource: Resource) {
    this.#resource = resource;
    this.related = relatedColumns(resource);
    this.#fragments = {
      table: quoteTable(POSTGRES, resource.table, resource.schema),
      isKey: isKeySql(pgChange, resource),
      columns: resource.columns.map((column) => `, ${select('r', column)}`).join(''),
    };
    this.lockRow = nameSql(
      renderSql(SQL.rows['lock-row'], { ...this.#fragments, lock: 'no key update' }),
    );
    this.lockParent = nameSql(
      renderSql(SQL.rows['lock-row'], { ...this.#fragments, lock: 'update' }),
    );
    this.row = nameSql(renderSql(SQL.rows['read-row'], this.#fragments));
  }

  /** Whether what the statements return is to be relied on. */
  get returns(): boolean {
    return this.#resource.sideEffects?.hasRules !== true;
  }

  countUpVersion(write: RowWrite): NamedSql {
    return this.#named(
      renderSql(SQL.keys['count-up-version'], {
        fence: write.fence === undefined ? '0' : ':fence',
        where: this.#resource.epoch === undefined ? '' : `where ${SQL.keys['is-policy-current']}`,
        admitted: admitted(write),
      }),
    );
  }

  /** Answers the key's columns as they are stored, where `returns`. */
  change({ change }: RowWrite, isThere: boolean): NamedSql {
    const key = this.#resource.keyColumns.map((column) => select('r', column)).join(', ');
    const returning = this.returns ? `returning ${key}` : '';
    const fragments = { ...this.#fragments, returning };
    if (change.op === 'delete') return this.#named(renderSql(SQL.rows['delete-row'], fragments));
    if (change.op === 'put' && !isThere) {
      const inserted = insertFragments(this.#resource, change);
      return this.#named(renderSql(SQL.rows['insert-row'], { ...fragments, ...inserted }));
    }
    const assignments = assignmentsSql(pgChange, this.#resource, change);
    return this.#named(renderSql(SQL.rows['update-row'], { ...fragments, assignments }));
  }

  /** Finds the row where it has already what the change asks for; null where that cannot be asked. */
  isShown({ change }: RowWrite): NamedSql | null {
    if (change.op === 'delete') return null;
    const { set } = change;
    const given = this.#resource.columns.filter((column) => !isKeyColumn(this.#resource, column));
    const isWhole = replacedColumns(this.#resource, set).every(({ name }) =>
      Object.hasOwn(set, name),
    );
    if (change.op === 'put' ? !isWhole : Object.keys(change.increment).length > 0) return null;
    const conditions = given.flatMap((column) => {
      if (!Object.hasOwn(set, column.name)) return [];
      const value = `:set_${this.#resource.columns.indexOf(column)}::${column.sqlType}`;
      return [`to_jsonb(r.${quote(column.name)}) is not distinct from to_jsonb(${value})`];
    });
    const isShown = conditions.length === 0 ? 'true' : conditions.join(' and ');
    return this.#named(renderSql(SQL.rows['has-values'], { ...this.#fragments, isShown }));
  }

  #named(text: string): NamedSql {
    let sql = this.#rendered.get(text);
    if (sql === undefined) {
      sql = nameSql(text);
      if (this.#rendered.size < MAX_PREPARED) this.#rendered.set(text, sql);
    }
    return sql;
  }
}
