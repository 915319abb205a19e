/** Turns the binlog's events into what the sink takes. */
import type { AnyBinlogEvent, BinlogEventByTypeName, BinlogEventTypeName } from '@vlasky/zongji';
import { columnOf, type Column } from '../../domain/index.ts';
import type { ChangeSink, LoggedRow, LoggedValue } from '../port.ts';
import type { TableChanges } from '../table-changes.ts';
import { type FollowedTable, KEYS_TABLE } from './followed-tables.ts';

/** The binlog tells times in whole seconds: a commit lies before the end of its second. */
const TIME_GRAIN_MS = 1_000;

export interface BinlogReaderParts {
  sink: ChangeSink;
  /** The database of Lockstep's own tables. */
  database: string;
  followed: readonly FollowedTable[];
  tables: ReadonlyMap<string, TableChanges>;
  clockOffsetMs: number;
  /** Where the stream can be gone on with, after the event that is being read. */
  position: () => string | null;
  /** The row that was changed last. */
  onRow: (identity: readonly Column[], table: FollowedTable, row: LoggedRow) => void;
}

type Logged = Record<string, unknown>;

interface Columns {
  table: FollowedTable;
  /** The columns that name one row of the table. */
  identity: readonly Column[];
  /** Whether each column can be NULL. */
  needed: Map<string, boolean>;
}

export class BinlogReader {
  readonly #parts: BinlogReaderParts;
  readonly #columns = new Map<string, Columns[]>();

  constructor(parts: BinlogReaderParts) {
    this.#parts = parts;
    for (const table of parts.followed) {
      const changes = parts.tables.get(table.name);
      if (changes === undefined) continue;
      const { identity } = changes;
      const needed = new Map(changes.columns.map(({ name, nullable }) => [name, nullable]));
      const place = `${table.database}.${table.relation}`;
      this.#columns.set(place, [...(this.#columns.get(place) ?? []), { table, identity, needed }]);
    }
  }

  read(event: AnyBinlogEvent): void {
    if (is(event, 'MariadbGtid') || is(event, 'Gtid') || is(event, 'AnonymousGtid')) {
      const committedAtMs = event.timestamp + TIME_GRAIN_MS - this.#parts.clockOffsetMs;
      this.#parts.sink.begin({ committedAtMs });
    } else if (is(event, 'Xid')) {
      this.#commit();
    } else if (is(event, 'Query')) {
      this.#statement(event.query);
    } else if (is(event, 'WriteRows')) {
      for (const row of event.rows) this.#row(event, null, row);
    } else if (is(event, 'DeleteRows')) {
      for (const row of event.rows) this.#row(event, row, null);
    } else if (is(event, 'UpdateRows')) {
      for (const { before, after } of event.rows) this.#row(event, before, after);
    }
  }

  #commit(): void {
    const position = this.#parts.position();
    if (position !== null) this.#parts.sink.commit(position);
  }

  #row(
    event: BinlogEventByTypeName<'WriteRows' | 'DeleteRows' | 'UpdateRows'>,
    before: Logged | null,
    after: Logged | null,
  ): void {
    const { sink, database, onRow } = this.#parts;
    const map = event.tableMap[event.tableId];
    if (map === undefined) return;
    if (map.tableName === KEYS_TABLE && map.parentSchema === database) {
      if (after === null) return;
      sink.mark(textOf(after.resource), textOf(after.key), Number(after.version));
      return;
    }
    for (const { table, identity, needed } of this.#columns.get(
      `${map.parentSchema}.${map.tableName}`,
    ) ?? []) {
      const was = before === null ? null : pick(needed, before, after);
      const is = after === null ? null : pick(needed, after, before);
      sink.row({ table: table.name, before: was, after: is });
      onRow(identity, table, is ?? was ?? {});
    }
  }

  /** Anything but a row: DDL, and statements of sessions that do not log rows. */
  #statement(text: string): void {
    const query = text.trim();
    if (/^(begin|start\s+transaction|savepoint|xa\s)/i.test(query)) return;
    if (/^(commit|rollback)\b/i.test(query)) return this.#commit();
    for (const { table } of [...this.#columns.values()].flat()) {
      if (!query.toLowerCase().includes(table.relation.toLowerCase())) continue;
      this.#parts.sink.lost(table.name, `a statement: ${query.slice(0, 40)}`);
    }
  }
}

/**
 * The needed columns of a row. A minimal row image leaves out what was not changed, which reads as NULL: what cannot
 * be NULL is then taken from the other image, or not known.
 */
function pick(
  needed: ReadonlyMap<string, boolean>,
  row: Logged,
  other: Logged | null,
): Record<string, LoggedValue> {
  const picked: Record<string, LoggedValue> = {};
  for (const [name, nullable] of needed) {
    const value = loggedValue(columnOf(row, name));
    if (value === null && !nullable)
      picked[name] = loggedValue(other === null ? null : columnOf(other, name)) ?? undefined;
    else picked[name] = value;
  }
  return picked;
}

function loggedValue(value: unknown): LoggedValue {
  if (value === null || typeof value === 'string' || typeof value === 'number') return value;
  return Buffer.isBuffer(value) ? value : undefined;
}

const textOf = (value: unknown): string =>
  Buffer.isBuffer(value) ? value.toString('utf8') : String(value);

function is<Name extends BinlogEventTypeName>(
  event: AnyBinlogEvent,
  name: Name,
): event is BinlogEventByTypeName<Name> {
  return event.getTypeName() === name;
}
