/** Turns the binlog's events into calls of the sink. */
import type { AnyBinlogEvent, BinlogEventByTypeName, BinlogEventTypeName } from '@vlasky/zongji';
import { columnOf, type Column } from '../../../domain/index.ts';
import type { ChangeSink, LoggedRow, LoggedValue } from '../../../changelog/port.ts';
import { KEYS_TABLE, type TableChanges } from '../../../changelog/table-changes.ts';
import type { FollowedTable } from './followed-tables.ts';
import { canChange, reachOf } from './logged-statement.ts';
import { columnsHeld, loggedName, nameForLog } from './row-image.ts';

/** The binlog has times in whole seconds. The latest possible time of a commit is the end of its second. */
const TIME_GRAIN_MS = 1_000;

export interface BinlogReaderOptions {
  sink: ChangeSink;
  /** The database that has Lockstep's own tables. */
  database: string;
  followed: readonly FollowedTable[];
  tables: ReadonlyMap<string, TableChanges>;
  clockOffsetMs: number;
  /** Where the stream can be resumed, after the event that is being read. */
  position: () => string | null;
  /** The row that was changed last. */
  onRow: (identity: readonly Column[], table: FollowedTable, row: LoggedRow) => void;
  /** Called when a session does not log a table's rows completely. */
  onOddity: (table: FollowedTable, message: string) => void;
}

type Logged = Record<string, unknown>;

interface Columns {
  table: FollowedTable;
  /** The columns that identify a row of the table. */
  identity: readonly Column[];
  needed: readonly string[];
}

export class BinlogReader {
  readonly #options: BinlogReaderOptions;
  readonly #columns = new Map<string, Columns[]>();

  constructor(options: BinlogReaderOptions) {
    this.#options = options;
    for (const table of options.followed) {
      const changes = options.tables.get(table.name);
      if (changes === undefined) continue;
      const { identity } = changes;
      const needed = changes.columns.map(({ name }) => name);
      const place = placeOf(table.database, table.relation);
      this.#columns.set(place, [...(this.#columns.get(place) ?? []), { table, identity, needed }]);
    }
  }

  read(event: AnyBinlogEvent): void {
    if (isOf(event, 'TableMap')) {
      nameForLog(event.tableMap[event.tableId]?.columns ?? []);
    } else if (isOf(event, 'MariadbGtid') || isOf(event, 'Gtid') || isOf(event, 'AnonymousGtid')) {
      const committedAtMs = event.timestamp + TIME_GRAIN_MS - this.#options.clockOffsetMs;
      this.#options.sink.begin({ committedAtMs });
    } else if (isOf(event, 'Xid')) {
      this.#commit();
    } else if (isOf(event, 'Query')) {
      this.#statement(event);
    } else if (isOf(event, 'WriteRows')) {
      for (const row of event.rows) this.#row(event, null, row);
    } else if (isOf(event, 'DeleteRows')) {
      for (const row of event.rows) this.#row(event, row, null);
    } else if (isOf(event, 'UpdateRows')) {
      for (const { before, after } of event.rows) this.#row(event, before, after);
    }
  }

  #commit(): void {
    const position = this.#options.position();
    if (position !== null) this.#options.sink.commit(position);
  }

  #row(
    event: BinlogEventByTypeName<'WriteRows' | 'DeleteRows' | 'UpdateRows'>,
    before: Logged | null,
    after: Logged | null,
  ): void {
    const { sink, database, onRow, onOddity } = this.#options;
    const map = event.tableMap[event.tableId];
    if (map === undefined) return;
    if (map.tableName === KEYS_TABLE && map.parentSchema === database) {
      if (after === null) return;
      sink.mark(textOf(after.resource), textOf(after.key), Number(after.version));
      return;
    }
    const followed = this.#columns.get(placeOf(map.parentSchema, map.tableName)) ?? [];
    if (followed.length === 0) return;
    const columns = map.columns ?? [];
    const first = columnsHeld(event, 'first', columns);
    const second = isOf(event, 'UpdateRows') ? columnsHeld(event, 'second', columns) : first;
    const isPartial = first !== null || second !== null;
    for (const { table, identity, needed } of followed) {
      const was = before === null ? null : pick(needed, before, first);
      const is = after === null ? null : pick(needed, after, second);
      const now = isPartial && is !== null ? { ...was, ...is } : is;
      sink.row({ table: table.name, before: was, after: now, ...(isPartial ? { isPartial } : {}) });
      if (isPartial) onOddity(table, PARTIAL);
      onRow(identity, table, now ?? was ?? {});
    }
  }

  /** Handles a statement that is logged as text: DDL, and changes by sessions that do not log rows. */
  #statement(statement: BinlogEventByTypeName<'Query'>): void {
    const query = statement.query.trim();
    if (/^(commit|rollback)\b(?! to)/i.test(query)) return this.#commit();
    const effect = reachOf(query);
    if (effect.reach === 'nothing') return;
    const reason = `a statement: ${query.slice(0, SHOWN)}`;
    for (const { table } of [...this.#columns.values()].flat()) {
      if (!canChange(effect, statement, table)) continue;
      this.#options.sink.lost(table.name, reason);
      if (effect.reach === 'any' && effect.isChange) this.#options.onOddity(table, AS_TEXT);
    }
  }
}

/** How many characters of a statement are shown: enough to say what it is, and too few to contain values. */
const SHOWN = 12;

const PARTIAL =
  'a session changed rows without logging them completely, so that its entries are swept; allowed: binlog_row_image = FULL in every session';
const AS_TEXT =
  'a session logged a change as a statement, so that its entries are swept; allowed: binlog_format = ROW in every session';

const placeOf = (database: string, relation: string): string =>
  JSON.stringify([database, relation]);

/** The needed columns of a row, without those that the log leaves out. */
function pick(
  needed: readonly string[],
  row: Logged,
  held: ReadonlySet<string> | null,
): Record<string, LoggedValue> {
  const picked = needed
    .filter((name) => held === null || held.has(loggedName(name)))
    .map((name) => [name, loggedValue(columnOf(row, loggedName(name)))] as const);
  // A column may be named `__proto__`. Assigning to that name would set the prototype instead of a member.
  return Object.fromEntries(picked);
}

function loggedValue(value: unknown): LoggedValue {
  if (value === null || typeof value === 'string' || typeof value === 'number') return value;
  return Buffer.isBuffer(value) ? value : undefined;
}

const textOf = (value: unknown): string =>
  Buffer.isBuffer(value) ? value.toString('utf8') : String(value);

function isOf<Name extends BinlogEventTypeName>(
  event: AnyBinlogEvent,
  name: Name,
): event is BinlogEventByTypeName<Name> {
  return event.getTypeName() === name;
}
