/**
 * The rows that foreign keys change with a row: found and locked before the change, because a deleted row says nothing
 * any more, and looked at again after it.
 *
 *   lock the row -> find its children, and theirs, locked -> the change -> look at them again -> outbox rows
 *
 * Children follow columns that the write names. A trigger may change others of them, which shows only after the change:
 * it is taken back then, and made again with all children found. So a row that has a trigger and a million children,
 * and whose key never changes, is written without a look at them.
 *
 * The parents are locked first, so that no child comes in between. Entries of strict rows must have their intents
 * before the commit: a row that the transaction does not cover ends it (`ReachesMore`), and it is sent again with it.
 */
import type { Row } from '@lockstep/shared';
import {
  type Cascade,
  type Column,
  isStrict,
  type Key,
  keyFromRow,
  LockstepError,
  relatedCacheKeys,
  type Resource,
} from '../../domain/index.ts';
import type { Session } from '../connections/connections.ts';
import type { RawValue, SentSql } from '../connections/driver.ts';
import type { Reach, RowWrite } from '../port.ts';
import { isKeyColumn, replacedColumns } from './change-sql.ts';
import { decodeRow } from '../values/row-text.ts';
import { relatedColumns } from '../values/stored-row.ts';
import { ReachesMore } from './attempt.ts';

/** Rows that one write may change by foreign keys. */
const MAX_ROWS = 10_000;
/** Strict ones among them: each is locked and gets an intent of its own. */
const MAX_STRICT_ROWS = 500;
/** Parents whose children one statement looks for. */
const BATCH = 500;

/** What is read of a child: raw values for the keys behind it, and the columns of resources over it. */
export interface ReachedColumns {
  raw: readonly string[];
  columns: readonly Column[];
}

/** The statements that find and record the rows that foreign keys change. */
export interface ReachDialect {
  /** Raw values of a key's own row. */
  ownSql(key: Key, columns: readonly string[]): SentSql;
  /** Finds and locks the children of these parents: the raw values, then those of the columns. */
  childrenSql(
    cascade: Cascade,
    parents: readonly RawValue[][],
    wanted: ReachedColumns,
    limit: number,
  ): SentSql;
  /** Adds outbox rows. Their ids are the answer, if the database returns them. */
  addCacheKeysSql(cacheKeys: readonly string[]): SentSql;
  /** The rows of these keys, in order. Rejects with StatementFailure. */
  rows(session: Session, resource: Resource, keys: readonly Key[]): Promise<(Row | null)[]>;
}

/** A row that a foreign key deletes, or some of whose columns it changes. */
interface Changed {
  table: string;
  isDeleted: boolean;
  columns: ReadonlySet<string>;
  values: ReadonlyMap<string, RawValue>;
}

/** An entry that the change makes wrong, with the columns of its related cache keys before. */
interface Reached {
  key: Key;
  before: Row;
}

export class ReachedRows {
  readonly #session: Session;
  readonly #dialect: ReachDialect;
  readonly #write: RowWrite;
  readonly #reach: Reach;
  readonly #reached = new Map<string, Reached>();
  readonly #cacheKeys = new Set<string>();
  readonly #seen = new Set<string>();
  /** Columns that the change gives new values; null: any. */
  #written: readonly string[] | null;

  constructor(session: Session, dialect: ReachDialect, write: RowWrite, reach: Reach) {
    this.#session = session;
    this.#dialect = dialect;
    this.#write = write;
    this.#reach = reach;
    this.#written = writtenColumns(write);
  }

  /**
   * Makes the change, with the rows found before it that foreign keys change too. Call when the row is locked.
   * @throws ReachesMore, LockstepError `TOO_LARGE`, and what the change throws
   */
  async around<T>(change: () => Promise<T>): Promise<T> {
    await this.#find();
    if (!this.#mayMoveMore()) return change();
    const before = await this.#parentValues();
    try {
      return await this.#session.nested(async () => {
        const made = await change();
        if ((await this.#parentValues()) !== before) throw new TriggerMoved();
        return made;
      });
    } catch (error) {
      if (!(error instanceof TriggerMoved)) throw error;
      this.#written = null;
      await this.#find();
      return change();
    }
  }

  async #find(): Promise<void> {
    await this.#follow(await this.#start(), this.#keys);
    this.#assertCovered();
  }

  /** Whether a trigger may give a column new values that children follow and the write does not name. */
  #mayMoveMore(): boolean {
    const { key, change } = this.#write;
    if (this.#written === null || change.op === 'delete') return false;
    if ((key.resource.sideEffects?.triggers.length ?? 0) === 0) return false;
    const written = new Set(this.#written);
    return this.#keys.some(
      ({ parent, onUpdate, columns }) =>
        parent === key.resource.cascades?.table &&
        onUpdate !== null &&
        columns.some((column) => !written.has(column.parent)),
    );
  }

  /** The values of the row that children hang on, as one text; where there is no row any more, another one. */
  async #parentValues(): Promise<string> {
    const { key } = this.#write;
    const names = this.#parentColumns(key.resource.cascades?.table ?? '');
    const [values] = await this.#run(this.#dialect.ownSql(key, names));
    return JSON.stringify(values?.map((value) => value?.toString('base64') ?? null) ?? 'gone');
  }

  /** Call when all has fired: what is wrong in the cache now, in outbox rows of the same transaction. */
  async addOutboxRows(): Promise<{ cacheKeys: string[]; outboxIds: string[] }> {
    if (this.#keys.some((cascade) => this.#movesEntries(cascade))) {
      // Rows that were given new keys are found by their parents' new values.
      await this.#follow(
        await this.#start(),
        this.#keys.filter(({ onUpdate }) => onUpdate === 'follow'),
      );
      this.#assertCovered();
    }
    const own = [...this.#reached.values()].filter(({ key }) => !isStrict(key.resource));
    for (const { key } of own) this.#cacheKeys.add(key.cacheKey);
    await this.#addRelated(own);
    const cacheKeys = [...this.#cacheKeys];
    if (cacheKeys.length === 0) return { cacheKeys, outboxIds: [] };
    const added = await this.#run(this.#dialect.addCacheKeysSql(cacheKeys));
    return { cacheKeys, outboxIds: added.map(([id]) => String(id)) };
  }

  async #run(sql: SentSql): Promise<RawValue[][]> {
    return (await this.#session.run(sql)).rows;
  }

  get #keys(): readonly Cascade[] {
    return this.#write.key.resource.cascades?.keys ?? [];
  }

  /** The row itself, as it is now. */
  async #start(): Promise<Changed[]> {
    const { key, change } = this.#write;
    const table = key.resource.cascades?.table ?? '';
    const names = this.#parentColumns(table);
    const [values] = await this.#run(this.#dialect.ownSql(key, names));
    if (values === undefined) return [];
    return [
      {
        table,
        isDeleted: change.op === 'delete',
        columns: new Set(this.#written ?? names),
        values: new Map(names.map((name, index) => [name, values[index] ?? null])),
      },
    ];
  }

  async #follow(changed: Changed[], keys: readonly Cascade[]): Promise<void> {
    let rows = changed;
    while (rows.length > 0) {
      const next: Changed[] = [];
      for (const cascade of keys) {
        const parents = rows.filter((row) => acts(cascade, row));
        for (const isDeleted of [true, false]) {
          const alike = parents.filter((parent) => parent.isDeleted === isDeleted);
          const deletes = isDeleted && cascade.onDelete === 'delete';
          for (let at = 0; at < alike.length; at += BATCH)
            next.push(...(await this.#children(cascade, alike.slice(at, at + BATCH), deletes)));
        }
      }
      rows = next;
    }
  }

  async #children(
    cascade: Cascade,
    parents: readonly Changed[],
    isDeleted: boolean,
  ): Promise<Changed[]> {
    const named = parents
      .map(({ values }) => cascade.columns.map(({ parent }) => values.get(parent) ?? null))
      .filter((values) => !values.includes(null));
    if (named.length === 0) return [];
    const wanted = this.#wanted(cascade);
    const left = MAX_ROWS - this.#seen.size;
    const found = await this.#run(this.#dialect.childrenSql(cascade, named, wanted, left + 1));
    if (found.length > left) throw tooMany(MAX_ROWS);
    const columns = new Set(cascade.columns.map(({ child }) => child));
    return found.flatMap((values) => {
      const id = `${cascade.name} ${cascade.child} ${isDeleted} ${JSON.stringify(values)}`;
      if (this.#seen.has(id)) return [];
      this.#seen.add(id);
      this.#add(cascade, wanted, values);
      const raw = new Map(wanted.raw.map((name, index) => [name, values[index] ?? null]));
      return [{ table: cascade.child, isDeleted, columns, values: raw }];
    });
  }

  /** The entries that hang on a found row. */
  #add(cascade: Cascade, { raw, columns }: ReachedColumns, values: readonly RawValue[]): void {
    const row = decodeRow(columns, values, raw.length);
    for (const resource of this.#resourcesOf(cascade)) {
      const key = keyFromRow(resource, row);
      if (key === null || key.lockKey === this.#write.key.lockKey) continue;
      const id = `${resource.name}/${key.text}`;
      if (!this.#reached.has(id)) this.#reached.set(id, { key, before: row });
    }
    for (const { cacheKey } of cascade.dependents) {
      const text = cacheKey.render(row);
      if (text !== null) this.#cacheKeys.add(text);
    }
  }

  /** The related cache keys of what is not written by itself, before and after. */
  async #addRelated(reached: readonly Reached[]): Promise<void> {
    const byResource = new Map<Resource, Reached[]>();
    for (const each of reached) {
      if (each.key.resource.invalidates.length === 0) continue;
      byResource.set(each.key.resource, [...(byResource.get(each.key.resource) ?? []), each]);
    }
    for (const [resource, some] of byResource) {
      for (let at = 0; at < some.length; at += BATCH) {
        const batch = some.slice(at, at + BATCH);
        const keys = batch.map(({ key }) => key);
        const rows = await this.#dialect.rows(this.#session, resource, keys);
        for (const [index, { before }] of batch.entries()) {
          const related = { before, after: rows[index] ?? null };
          for (const text of relatedCacheKeys(resource.invalidates, related))
            this.#cacheKeys.add(text);
        }
      }
    }
  }

  #assertCovered(): void {
    const strict = [...this.#reached.values()].filter(({ key }) => isStrict(key.resource));
    if (strict.length > MAX_STRICT_ROWS) throw tooMany(MAX_STRICT_ROWS);
    const keys = strict.map(({ key }) => key).filter((key) => !this.#reach.covers(key));
    if (keys.length > 0) throw new ReachesMore(keys);
  }

  #resourcesOf({ resources }: Cascade): Resource[] {
    return resources.flatMap((name) => this.#reach.resourceOf(name) ?? []);
  }

  /** Whether a row whose parent changes gets another key, or hangs on another answer. */
  #movesEntries(cascade: Cascade): boolean {
    if (cascade.onUpdate !== 'follow') return false;
    const named = new Set([
      ...this.#resourcesOf(cascade).flatMap(({ keyColumns }) => keyColumns.map(({ name }) => name)),
      ...cascade.dependents.flatMap(({ columns }) => columns.map(({ name }) => name)),
    ]);
    return cascade.columns.some(({ child }) => named.has(child));
  }

  #wanted(cascade: Cascade): ReachedColumns {
    const columns = [
      ...this.#resourcesOf(cascade).flatMap((resource) => [
        ...resource.keyColumns,
        ...relatedColumns(resource),
      ]),
      ...cascade.dependents.flatMap((dependent) => dependent.columns),
    ];
    return {
      raw: this.#parentColumns(cascade.child),
      columns: [...new Map(columns.map((column) => [column.name, column])).values()],
    };
  }

  /** The columns of a table that foreign keys name. */
  #parentColumns(table: string): string[] {
    const names = this.#keys
      .filter(({ parent }) => parent === table)
      .flatMap(({ columns }) => columns.map(({ parent }) => parent));
    return [...new Set(names)];
  }
}

/** Takes a change back after which the row's children hang on other values than the write named. */
class TriggerMoved extends Error {
  override readonly name = 'TriggerMoved';
}

/** Whether the foreign key changes the row's children. */
function acts(cascade: Cascade, { table, isDeleted, columns }: Changed): boolean {
  if (cascade.parent !== table) return false;
  if (isDeleted) return cascade.onDelete !== null;
  return cascade.onUpdate !== null && cascade.columns.some(({ parent }) => columns.has(parent));
}

/** The columns that the write names; null: any. */
function writtenColumns({ key: { resource }, change }: RowWrite): string[] | null {
  if (change.op === 'delete') return null;
  if (change.op === 'put') return replacedColumns(resource, change.set).map(({ name }) => name);
  return [...Object.keys(change.set), ...Object.keys(change.increment)].filter(
    (name) => !resource.columns.some((each) => each.name === name && isKeyColumn(resource, each)),
  );
}

const tooMany = (count: number): LockstepError =>
  new LockstepError(
    'TOO_LARGE',
    `Foreign keys would change more than ${count} cached rows with this one; nothing was applied. Delete or change those in parts first.`,
  );
