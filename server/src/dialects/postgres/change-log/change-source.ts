/**
 * The change log of PostgreSQL: a publication of the configured tables, and a replication slot that keeps the position.
 */
import type { Pgoutput } from 'pg-logical-replication';
import { LockstepError } from '../../../domain/index.ts';
import { messageOf, PositionLost } from '../../../changelog/position-lost.ts';
import {
  findTables,
  type FollowedTables,
  tableStorage,
  type TableStorage,
} from './followed-tables.ts';
import { publish } from './publication.ts';
import { settingFaults } from './setting-faults.ts';
import { openSlot } from './slot.ts';
import { PgStream } from './stream.ts';
import { TransactionsInView } from './transactions-in-view.ts';
import type { ChangeSourceOptions } from '../../../changelog/dialect.ts';
import type {
  ChangeSink,
  ChangeSource,
  RetainedLog,
  LoggedRow,
  Opened,
  TableFault,
  TableMessage,
} from '../../../changelog/port.ts';
import { tablesOf, type TableChanges } from '../../../changelog/table-changes.ts';
import { SQL } from './statements.ts';

const LOOK_MAX_MS = 20;

export class PgChangeSource implements ChangeSource {
  readonly #options: ChangeSourceOptions;
  readonly #inView = new TransactionsInView();
  #tables: ReadonlyMap<string, TableChanges> = new Map();
  #stream: PgStream | null = null;
  #storage: ReadonlyMap<number, TableStorage> = new Map();
  #found: FollowedTables = { keys: null, tables: [], faults: [] };
  /** Tables that the publication lacks and this account may not add, by their names in the configuration. */
  #unpublished: ReadonlySet<string> = new Set();
  /** By a table's oid, its names in the configuration. */
  #names = new Map<number, string[]>();
  /** How far the database's wall clock is ahead of this process's. */
  #clockOffsetMs = 0;

  constructor(options: ChangeSourceOptions) {
    this.#options = options;
  }

  async open(stored: string | null, lost: string | null): Promise<Opened> {
    const { sql, slot, publication, resources, runtime } = this.#options;
    const tables = tablesOf(resources.values());
    this.#tables = tables;
    this.#inView.clear();
    const unfit = await settingFaults(sql, { slot });
    if (unfit.length > 0) throw new LockstepError('INVALID', unfit.join('; '));
    this.#note(await findTables(sql, tables));
    // The publication comes before the slot: it must exist at each position that the slot decodes.
    const { added, faults } = await publish(sql, publication, this.#found);
    this.#unpublished = new Set(faults.map(({ table }) => table));
    const { position, gap, nowMs } = await openSlot(sql, slot, stored, lost, runtime);
    this.#clockOffsetMs = nowMs - runtime.clock.wallMs();
    const late = added.filter(({ name }) => tables.has(name)).map(({ name }) => name);
    const addedGap = late.length === 0 ? null : `${late.join(', ')} joined the publication now`;
    const storage = await tableStorage(sql, this.#found);
    this.#storage = storage;
    const changed = this.#found.tables.flatMap(({ name, oid }) =>
      storage.get(oid)?.hasParts === true
        ? [{ table: name, message: 'partitions may have been attached or detached meanwhile' }]
        : [],
    );
    const all = [...this.#found.faults, ...faults];
    return { position, gap: gap ?? addedGap, faults: all, lost: changed };
  }

  async stream(position: string, sink: ChangeSink, signal: AbortSignal): Promise<void> {
    const { connection, slot, publication, runtime } = this.#options;
    const reader = new MessageReader({
      sink,
      inView: this.#inView,
      namesOf: (oid) => this.#names.get(oid) ?? [],
      isKeys: (oid) => oid === this.#found.keys?.oid,
      tables: this.#tables,
      clockOffsetMs: this.#clockOffsetMs,
    });
    const stream = new PgStream(
      {
        connection,
        slot,
        publication,
        onMessage: (message) => reader.read(message),
        onCaughtUp: (lsn, isUrgent) => sink.caughtUp(lsn, isUrgent),
        runtime,
      },
      position,
    );
    this.#stream = stream;
    try {
      await stream.run(signal);
    } catch (error) {
      throw isGone(error) ? new PositionLost(messageOf(error), { cause: error }) : error;
    } finally {
      this.#stream = null;
    }
  }

  async untilVisible(signal: AbortSignal): Promise<boolean> {
    const { sql, runtime } = this.#options;
    for (let waitMs = 1; !this.#inView.isEmpty; waitMs = Math.min(LOOK_MAX_MS, waitMs * 2)) {
      const { rows } = await sql.run(SQL['read-snapshot']);
      this.#inView.look(rows[0]?.snapshot ?? '');
      if (this.#inView.isEmpty) break;
      if (signal.aborted) return false;
      await runtime.timers.sleep(waitMs, signal);
    }
    return true;
  }

  async retainedLog(): Promise<RetainedLog | null> {
    const { sql, slot } = this.#options;
    const [row] = (await sql.run(SQL['read-retained-log'], { slot })).rows;
    const bytes = row?.bytes ?? null;
    if (row === undefined || bytes === null) return null;
    const left = row.left_bytes ?? null;
    return {
      slot,
      bytes: Number(bytes),
      leftBytes: left === null ? null : Math.max(0, Number(left)),
    };
  }

  acknowledge(position: string): void {
    this.#stream?.acknowledge(position);
  }

  async verify(): Promise<{ faults: TableFault[]; lost: TableMessage[] }> {
    const { sql, publication } = this.#options;
    const tables = this.#tables;
    const before = new Map(this.#found.tables.map(({ name, oid }) => [name, oid]));
    this.#note(await findTables(sql, tables));
    const { added, faults } = await publish(sql, publication, this.#found);
    const unpublished = new Set(faults.map(({ table }) => table));
    const lost = new Map<string, string>();
    for (const name of this.#unpublished)
      if (!unpublished.has(name)) lost.set(name, 'the table has joined the publication');
    this.#unpublished = unpublished;
    for (const { name, oid } of this.#found.tables) {
      if (before.get(name) !== oid) lost.set(name, 'another table has this name now');
    }
    const storage = await tableStorage(sql, this.#found);
    for (const { name, oid } of this.#found.tables) {
      const known = this.#storage.get(oid);
      if (known !== undefined && known.text !== storage.get(oid)?.text)
        lost.set(name, 'its partitions or its file have changed');
    }
    this.#storage = storage;
    for (const { name } of added) {
      if (tables.has(name)) lost.set(name, 'the table was missing from the publication');
    }
    return {
      faults: [...this.#found.faults, ...faults],
      lost: [...lost].map(([table, message]) => ({ table, message })),
    };
  }

  #note(found: FollowedTables): void {
    this.#found = found;
    this.#names = new Map();
    for (const { oid, name } of found.tables) {
      this.#names.set(oid, [...(this.#names.get(oid) ?? []), name]);
    }
  }
}

interface ReaderOptions {
  sink: ChangeSink;
  inView: TransactionsInView;
  namesOf: (oid: number) => readonly string[];
  isKeys: (oid: number) => boolean;
  tables: ReadonlyMap<string, TableChanges>;
  clockOffsetMs: number;
}

/** Turns pgoutput's messages into calls of the sink. */
class MessageReader {
  readonly #options: ReaderOptions;
  #xid = 0;
  /** The log's latest description of each table's columns. */
  readonly #columns = new Map<number, string>();

  constructor(options: ReaderOptions) {
    this.#options = options;
  }

  read(message: Pgoutput.Message): Promise<void> | null {
    const { sink } = this.#options;
    switch (message.tag) {
      case 'begin':
        this.#xid = message.xid;
        sink.begin({ committedAtMs: this.#wallMs(message.commitTime) });
        return null;
      case 'commit':
        sink.commit(message.commitEndLsn ?? '0/0');
        break;
      case 'insert':
        this.#row(message.relation, null, message.new);
        break;
      case 'update':
        this.#row(
          message.relation,
          message.old ?? message.key,
          message.new,
          (message.old ?? message.key) ? undefined : message.relation.keyColumns,
        );
        break;
      case 'delete':
        this.#row(message.relation, message.old ?? message.key, null);
        break;
      case 'truncate':
        for (const { relationOid } of message.relations) this.#lost(relationOid, 'truncated');
        break;
      case 'relation':
        this.#relation(message);
        break;
      default:
        return null;
    }
    return sink.room();
  }

  #row(
    { relationOid }: Pgoutput.MessageRelation,
    before: LoggedRow | null,
    after: LoggedRow | null,
    unchanged?: readonly string[],
  ): void {
    const { sink, inView, namesOf, isKeys } = this.#options;
    if (isKeys(relationOid)) {
      if (after !== null) {
        sink.mark(String(after.resource), String(after.key), Number(after.version));
      }
      return;
    }
    for (const table of namesOf(relationOid)) {
      inView.streamed(this.#xid);
      sink.row({ table, before, after, ...(unchanged === undefined ? {} : { unchanged }) });
    }
  }

  #lost(oid: number, reason: string): void {
    const { sink, inView, namesOf } = this.#options;
    for (const table of namesOf(oid)) {
      inView.streamed(this.#xid);
      sink.lost(table, reason);
    }
  }

  /** Comes before a table's first row, and again when its columns have changed. */
  #relation({ relationOid, columns }: Pgoutput.MessageRelation): void {
    const names = new Set(columns.map(({ name }) => name));
    const described = JSON.stringify(
      columns.map(({ name, typeOid, typeMod }) => [name, typeOid, typeMod]),
    );
    const known = this.#columns.get(relationOid) ?? described;
    this.#columns.set(relationOid, described);
    if (known !== described) this.#lost(relationOid, 'its columns have changed');
    for (const table of this.#options.namesOf(relationOid)) {
      const needed = this.#options.tables.get(table)?.columns ?? [];
      const missing = needed.filter(({ name }) => !names.has(name));
      if (missing.length > 0) {
        this.#lost(relationOid, `its column ${missing[0]?.name ?? ''} no longer exists`);
      }
    }
  }

  #wallMs(commitTime: unknown): number {
    // The library declares the object type `BigInt`; the value is a primitive bigint, in microseconds.
    return Math.floor(Number(commitTime) / 1_000) - this.#options.clockOffsetMs;
  }
}

/** Whether the slot or the publication is gone, or the slot has lost its part of the log. */
function isGone(error: unknown): boolean {
  return /publication .* does not exist|requested WAL segment|can no longer (access|get changes from) replication slot|has been invalidated/i.test(
    messageOf(error),
  );
}
