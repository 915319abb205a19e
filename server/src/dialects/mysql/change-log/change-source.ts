/** The change log of MySQL and MariaDB: their binlog, read the way a replica reads it. */
import ZongJi from '@vlasky/zongji';
import { quoteName, renderStatement } from '../../../database/index.ts';
import { mysqlAddress } from '../address.ts';
import { columnOf, type Column } from '../../../domain/index.ts';
import { messageOf, PositionLost } from '../../../changelog/position-lost.ts';
import { BinlogReader } from './binlog-reader.ts';
import { findTables, type FollowedTable } from './followed-tables.ts';
import {
  filePosition,
  gtidPosition,
  serverFacts,
  type ServerFacts,
  startAt,
} from './server-facts.ts';
import type { ChangeSourceOptions } from '../../../changelog/dialect.ts';
import type {
  ChangeSink,
  ChangeSource,
  LoggedRow,
  Opened,
  TableFault,
  TableMessage,
} from '../../../changelog/port.ts';
import { KEYS_TABLE, tablesOf, type TableChanges } from '../../../changelog/table-changes.ts';
import { SQL } from './statements.ts';
import { MYSQL } from '../spelling.ts';

/** The events that say what was changed, and where transactions begin and end. */
const EVENTS = [
  'tablemap',
  'writerows',
  'updaterows',
  'deleterows',
  'query',
  'xid',
  'gtid',
  'anonymousgtid',
  'mariadbgtid',
];
const LOOK_MIN_MS = 1;
const LOOK_MAX_MS = 50;
/** How long to wait for a row's lock. A later transaction may have locked the row too, for any length of time. */
const VISIBLE_WITHIN_MS = 2_000;
/** The errors of a statement that would have to wait for a lock: MariaDB's number and MySQL's. */
const LOCKED = new Set(['1205', '3572']);
/**
 * The errors for a table or column that does not exist. The row's transaction has ended then, because a statement that
 * drops, renames or alters the table has to wait for it.
 */
const ALTERED = new Set(['1146', '1054']);
const NO_ACTION = (): void => undefined;

interface ChangedRow {
  /** The columns that identify a row of the table. */
  identity: readonly Column[];
  table: FollowedTable;
  row: LoggedRow;
}

export class MysqlChangeSource implements ChangeSource {
  readonly #options: ChangeSourceOptions;
  #facts: ServerFacts | null = null;
  #tables: ReadonlyMap<string, TableChanges> = new Map();
  #followed: FollowedTable[] = [];
  #clockOffsetMs = 0;
  /** Rows that sessions did not log completely since the log was opened: the latest message, by table. */
  readonly #oddities = new Map<string, string>();
  /** The row that was streamed last. While its transaction has not ended, the row is locked. */
  #last: ChangedRow | null = null;

  constructor(options: ChangeSourceOptions) {
    this.#options = options;
  }

  async open(stored: string | null, lost: string | null): Promise<Opened> {
    const { sql, resources, runtime } = this.#options;
    const tables = tablesOf(resources.values());
    const facts = await serverFacts(sql);
    const { tables: followed, faults } = await findTables(sql, facts.database, tables);
    this.#facts = facts;
    this.#tables = tables;
    this.#followed = followed;
    this.#clockOffsetMs = facts.nowMs - runtime.clock.wallMs();
    this.#last = null;
    const gap = lost ?? (stored === null ? 'no position is stored' : null);
    return {
      position: gap === null && stored !== null ? stored : facts.end,
      gap,
      faults,
      lost: [],
    };
  }

  async stream(position: string, sink: ChangeSink, signal: AbortSignal): Promise<void> {
    const { serverId } = this.#options;
    const zongji = new ZongJi(this.#connectionOptions());
    const reader = new BinlogReader({
      sink,
      database: this.#facts?.database ?? '',
      followed: this.#followed,
      tables: this.#tables,
      clockOffsetMs: this.#clockOffsetMs,
      position: () => positionOf(zongji),
      onRow: (identity, table, row) => {
        this.#last = { identity, table, row };
      },
      onOddity: ({ name }, message) => {
        this.#oddities.set(name, message);
      },
    });
    try {
      await new Promise<void>((resolve, reject) => {
        zongji.on('error', reject);
        zongji.on('binlog', (event) => {
          try {
            reader.read(event);
            holdUp(zongji, sink);
          } catch (error) {
            reject(error instanceof Error ? error : new Error(String(error)));
          }
        });
        if (signal.aborted) resolve();
        else signal.addEventListener('abort', () => resolve(), { once: true });
        zongji.start({
          serverId,
          ...startAt(position),
          includeEvents: EVENTS,
          includeSchema: this.#includedTables(),
        });
      });
    } catch (error) {
      throw isGone(error) ? new PositionLost(messageOf(error), { cause: error }) : error;
    } finally {
      zongji.removeAllListeners();
      zongji.on('error', NO_ACTION);
      zongji.stop();
    }
  }

  /**
   * A commit is in the binlog before InnoDB ends it. Transactions end in the binlog's order, so when the row that was
   * changed last is no longer locked, every earlier change is visible too.
   */
  async untilVisible(signal: AbortSignal): Promise<boolean> {
    const { clock, timers, log } = this.#options.runtime;
    const last = this.#last;
    if (last === null) return true;
    const deadlineMs = clock.nowMs() + VISIBLE_WITHIN_MS;
    for (let waitMs = LOOK_MIN_MS; ; waitMs = Math.min(LOOK_MAX_MS, waitMs * 2)) {
      if (!(await this.#isLocked(last))) break;
      if (clock.nowMs() > deadlineMs) {
        log.debug(
          { table: last.table.name },
          'a changed row stays locked; going on without waiting',
        );
        break;
      }
      if (signal.aborted) return false;
      await timers.sleep(waitMs, signal);
    }
    if (this.#last === last) this.#last = null;
    return true;
  }

  acknowledge(): void {
    // The server keeps its binlog by its own rules, whether it was read or not.
  }

  /** MySQL and MariaDB discard their binlog by its age, whether it was read or not. */
  retainedLog(): Promise<null> {
    return Promise.resolve(null);
  }

  async verify(): Promise<{ faults: TableFault[]; lost: TableMessage[] }> {
    const { sql } = this.#options;
    const database = this.#facts?.database ?? '';
    const { tables: found, faults } = await findTables(sql, database, this.#tables);
    const before = new Set(this.#followed.map(({ name }) => name));
    // This stream contains only the tables that it began with. If a table has come back since, its changes were missed.
    if (found.some(({ name }) => !before.has(name))) {
      throw new PositionLost('a configured table that was missing is there again');
    }
    const odd = [...this.#oddities].map(([table, message]) => ({
      table,
      message,
      isFollowed: true,
    }));
    return { faults: [...faults, ...odd], lost: [] };
  }

  #connectionOptions(): ConstructorParameters<typeof ZongJi>[0] {
    return {
      ...mysqlAddress(this.#options.connection),
      dateStrings: true,
      timezone: 'Z',
      charset: 'utf8mb4',
      supportBigNumbers: true,
      bigNumberStrings: true,
      enableKeepAlive: true,
    };
  }

  #includedTables(): Record<string, string[]> {
    const included: Record<string, string[]> = {};
    const add = (database: string, relation: string): void => {
      included[database] = [...(included[database] ?? []), relation];
    };
    add(this.#facts?.database ?? '', KEYS_TABLE);
    for (const { database, relation } of this.#followed) add(database, relation);
    return included;
  }

  async #isLocked({ identity, table, row }: ChangedRow): Promise<boolean> {
    const keys = identity.map(({ name }) => [name, columnOf(row, name)] as const);
    const bindings: Record<string, string | number | Buffer> = {};
    for (const [index, [, value]] of keys.entries()) {
      if (value === null || value === undefined) return false;
      bindings[`key_${index}`] = value;
    }
    const statement = renderStatement(SQL['await-row'], {
      table: [table.database, table.relation].map((part) => quoteName(MYSQL, part)).join('.'),
      isKey: keys.map(([name], index) => `${quoteName(MYSQL, name)} = :key_${index}`).join(' and '),
      lock: this.#facts?.isMariaDb === true ? 'lock in share mode nowait' : 'for share nowait',
    });
    try {
      await this.#options.sql.run(statement, bindings);
      return false;
    } catch (error) {
      const code = error instanceof Error && hasCode(error.cause) ? error.cause.code : '';
      if (LOCKED.has(code)) return true;
      if (ALTERED.has(code)) return false;
      throw error;
    }
  }
}

/** Stops reading until the sink has room. */
function holdUp(zongji: ZongJi, sink: ChangeSink): void {
  const room = sink.room();
  if (room === null) return;
  zongji.connection?.pause();
  void room.then(() => zongji.connection?.resume());
}

function positionOf(zongji: ZongJi): string | null {
  if (zongji.gtidSet !== undefined) return gtidPosition(zongji.gtidSet);
  const { filename, position } = zongji.options;
  return filename === undefined || position === undefined ? null : filePosition(filename, position);
}

/** Whether the server's binlog no longer continues from the position (1236), or has another history. */
function isGone(error: unknown): boolean {
  const errno = typeof error === 'object' && error !== null && 'errno' in error ? error.errno : 0;
  return errno === 1236 && !/same server_(uu)?id/i.test(messageOf(error));
}

const hasCode = (value: unknown): value is { code: string } =>
  typeof value === 'object' && value !== null && 'code' in value && typeof value.code === 'string';
