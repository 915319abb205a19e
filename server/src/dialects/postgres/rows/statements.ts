import type { Column, Resource } from '../../../domain/index.ts';
import { admitted, pgChange, putFragments } from './change-sql.ts';
import { PgCombinedWrite } from './combined-write.ts';
import { keyType, MAX_PREPARED, nameSql, quote, select, type NamedSql } from './names.ts';
import type { RowWrite } from '../../../database/port.ts';
import { SQL } from './sql-texts.ts';
import { quoteTable, renderSql } from '../../../database/statements/sql-text.ts';
import { relatedColumns } from '../../../database/values/stored-row.ts';
import { assignmentsSql, isKeySql } from '../../../database/write/change-sql.ts';
import { memoized } from '../../../database/statements/memoized.ts';
import { POSTGRES } from '../spelling.ts';

// Parts of expressions.
const CHANGED_BY = SQL.rows['changed-by'].trimEnd();
const NEXT_XID = SQL.rows['next-xid'].trimEnd();
const IS_PRISTINE = SQL.rows['is-pristine'].trimEnd();
const RECORDED_XID = SQL.rows['recorded-xid'].trimEnd();

/** The statements on one resource's table, each rendered at its first use. */
export class PgStatements {
  readonly related: readonly Column[];
  readonly read: NamedSql;
  readonly readMany: NamedSql;
  readonly table: string;
  /** The key's columns, for a select list. */
  readonly keyList: string;
  readonly #resource: Resource;
  readonly #isKey: string;
  readonly #writes = new Map<string, NamedSql>();
  readonly #combined = new Map<string, PgCombinedWrite | null>();

  constructor(resource: Resource) {
    const { keyColumns, columns } = resource;
    this.#resource = resource;
    this.related = relatedColumns(resource);
    this.#isKey = isKeySql(pgChange, resource);
    this.table = quoteTable(POSTGRES, resource.table, resource.schema);
    this.keyList = keyColumns.map((column) => select('r', column)).join(', ');
    const fragments = {
      table: this.table,
      present: keyColumns.map((column) => `r.${quote(column.name)} is not null`).join(' and '),
      columns: columns.map((column) => `, ${select('r', column)}`).join(''),
      changedBy: CHANGED_BY,
      nextXid: NEXT_XID,
    };
    this.read = nameSql(
      renderSql(SQL.rows['read-with-version'], { ...fragments, isKey: this.#isKey }),
    );
    this.readMany = nameSql(
      renderSql(SQL.rows['read-many-with-versions'], {
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

  /** The statement that writes of this shape can share; null if they cannot share one. */
  combined(write: RowWrite): PgCombinedWrite | null {
    const shape = shapeOf(this.#resource, write);
    let combined = this.#combined.get(shape);
    if (combined === undefined) {
      combined = PgCombinedWrite.of(this.#resource, write);
      if (this.#combined.size < MAX_PREPARED) this.#combined.set(shape, combined);
    }
    return combined;
  }

  #renderWrite(write: RowWrite): string {
    const { change } = write;
    const isDelete = change.op === 'delete';
    const hasBefore = this.#hasBefore(write);
    const answered = isDelete ? this.related : this.#resource.columns;
    const created = change.op === 'put' ? 'changed.created' : 'false';
    const joinBefore = hasBefore ? 'left join before on true' : '';
    const noted = renderSql(SQL.write['with-outbox-row'], {
      related: this.#relatedJson(write),
      joinBefore,
    });
    const again =
      write.secondDeleteAfterMs === undefined
        ? ''
        : renderSql(SQL.write['with-second-delete'], {
            related: this.#relatedJson(write),
            joinBefore,
          });
    const remembered = renderSql(SQL.write['with-outcome'], {
      created,
      fence: write.fence === undefined ? 'null' : ':fence',
      values: isDelete ? 'null::json' : textArray('changed.c', answered.length),
    });
    return renderSql(SQL.write['write-row'], {
      fence: write.fence === undefined ? '0' : ':fence',
      rowXid: isDelete ? `'0'` : 'null',
      where: this.#precondition(write),
      admitted: admitted(write),
      before: hasBefore ? this.#renderBefore(write) : '',
      change: this.#renderChange(write, hasBefore),
      noted: write.outbox ? noted + again : '',
      remembered: write.idempotency === undefined ? '' : remembered,
      outboxId: write.outbox ? '(select id from noted)' : 'null',
      created,
      moved: change.op === 'put' ? (hasBefore ? MOVED : '') + notMade(write) : '',
      answer: [
        ...answered.map((_, index) => `, changed.c${index}`),
        ...(hasBefore ? this.related.map((_, index) => `, before.b${index}`) : []),
      ].join(''),
      joinBefore,
    });
  }

  /** The snapshot shows whether the row is there already. This refuses without an error, which servers would log. */
  #precondition(write: RowWrite): string {
    const { change } = write;
    const conditions = this.#resource.epoch === undefined ? [] : [SQL.keys['is-policy-current']];
    if (change.op === 'put' && change.onlyCreate)
      conditions.push(`not exists (select from ${this.table} as r where ${this.#isKey})`);
    const maybeAbsent = change.op === 'put' ? mayMake(write) : null;
    if (maybeAbsent !== null)
      conditions.push(
        `(exists (select from ${this.table} as r where ${this.#isKey}) or ${maybeAbsent})`,
      );
    return conditions.length === 0 ? '' : `where ${conditions.join(' and ')}`;
  }

  #hasBefore({ change }: RowWrite): boolean {
    const isPut = change.op === 'put' && this.#resource.sideEffects?.isPartitioned === true;
    return isPut || (this.related.length > 0 && change.op !== 'delete');
  }

  #renderBefore(write: RowWrite): string {
    const columns = this.related.map((column, index) => `, ${select('r', column)} as b${index}`);
    const isKey = this.#isKey;
    const version = admittedVersion(write);
    const fragments = { table: this.table, columns: columns.join(''), isKey, version };
    const { change } = write;
    const before = renderSql(SQL.write['read-before'], fragments);
    if (change.op !== 'put' || this.#resource.sideEffects?.isPartitioned !== true) return before;
    const unchanged = isUnchanged(write);
    const put = renderSql(SQL.write['change-put-partitioned'], {
      ...fragments,
      ...putFragments(this.#resource, change, unchanged),
      unchanged: unchanged === null ? '' : `and ${unchanged}`,
      assignments: assignmentsSql(pgChange, this.#resource, change),
      isReplaced: change.onlyCreate ? 'false' : 'exists (select from before)',
      columns: columnList(this.#resource.columns),
    });
    return before + put;
  }

  #renderChange(write: RowWrite, hasBefore: boolean): string {
    const { change } = write;
    const answered = change.op === 'delete' ? this.related : this.#resource.columns;
    const unchanged = isUnchanged(write);
    const fragments = {
      table: this.table,
      isKey: this.#isKey,
      unchanged: unchanged === null ? '' : `and ${unchanged}`,
      version: admittedVersion(write),
      // `before` must have read and locked the row when the change comes to it.
      afterBefore: hasBefore ? 'and (select count(*) from before) >= 0' : '',
      columns: columnList(answered),
    };
    if (change.op === 'delete') return renderSql(SQL.write['change-delete'], fragments);
    if (change.op === 'put' && this.#resource.sideEffects?.isPartitioned === true)
      return 'select * from replaced union all select * from inserted';
    if (change.op === 'put')
      return renderSql(SQL.write['change-put'], {
        ...fragments,
        ...putFragments(this.#resource, change, unchanged),
      });
    return renderSql(SQL.write['change-patch'], {
      ...fragments,
      assignments: assignmentsSql(pgChange, this.#resource, change),
    });
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
}

const columnList = (columns: readonly Column[]): string =>
  columns.map((column, index) => `, ${select('r', column)} as c${index}`).join('');

/** The row was put by another writer after this statement's snapshot: what it was before is not known. */
const MOVED = `or exists (
    select from changed left join before on true where not changed.created and before.present is null
  )`;

/** The write's version; NULL where the write is not admitted. `counted` is the part of the statement that counts it up. */
function admittedVersion(write: RowWrite): string {
  const expected = write.ifMatch === undefined ? '' : ' where version = :if_match::bigint + 1';
  return `(select version from counted${expected})`;
}

/**
 * `If-Match`: that the row, as it is once it is locked, is the one which the entity tag names; null where none is named.
 *
 * What Lockstep's last write left is read in the statement's snapshot, while `counted` and the row are the newest there
 * are. Where the snapshot has an older version than `counted` has counted up, the transaction of that older version wrote
 * no row that is still there (each version writes the row anew), so that nothing matches and the write is tried again.
 */
function isUnchanged({ ifMatch, ifMatchTag }: RowWrite): string | null {
  if (ifMatch === undefined) return null;
  const isPlain = ifMatch === 0 ? IS_PRISTINE : `r.xmin = ${RECORDED_XID}`;
  return ifMatchTag === undefined ? isPlain : `r.xmin = :if_match_xid::xid and not (${isPlain})`;
}

/** `If-Match` on a put: where it may make a row that is not there. Null: always. */
function mayMake({ ifMatch, ifMatchTag }: RowWrite): string | null {
  if (ifMatch === undefined) return null;
  if (ifMatchTag !== undefined) return 'false';
  // What Lockstep deleted itself has the plain version too.
  return ifMatch === 0 ? null : `${RECORDED_XID} = '0'::xid`;
}

/** The same once more, for a row that another program deleted after this statement's snapshot. */
function notMade(write: RowWrite): string {
  const may = mayMake(write);
  return may === null
    ? ''
    : `or exists (select from changed where changed.created and (${may}) is not true)`;
}

/** Shared by all databases of the process: a name stands for one statement, on whichever server. */
export const statementsOf = memoized((resource: Resource) => new PgStatements(resource));

/** Two writes of one shape are the same statement. */
function shapeOf(resource: Resource, write: RowWrite): string {
  const { change } = write;
  const match = write.ifMatch === undefined ? '' : write.ifMatch === 0 ? 'z' : 'm';
  let shape = `${change.op} ${match}${write.ifMatchTag === undefined ? '' : 't'}${write.fence === undefined ? '' : 'f'}`;
  if (write.idempotency !== undefined) shape += 'i';
  if (write.heldFences !== undefined) shape += 'h';
  if (write.outbox) shape += 'o';
  if (write.secondDeleteAfterMs !== undefined) shape += 'd';
  if (change.op === 'delete') return shape;
  if (change.op === 'put' && change.onlyCreate) shape += 'c';
  for (const [index, column] of resource.columns.entries()) {
    if (Object.hasOwn(change.set, column.name)) shape += ` ${index}`;
    else if (change.op === 'patch' && Object.hasOwn(change.increment, column.name))
      shape += ` +${index}`;
  }
  return shape;
}

function textArray(prefix: string, count: number): string {
  const items = Array.from({ length: count }, (_, index) => `${prefix}${index}::text`);
  return `array_to_json(array[${items.join(', ')}])`;
}
