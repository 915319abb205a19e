import {
  type SqlRow,
  type SqlRunner,
  type SqlSession,
  readStatements,
  hasStatement,
} from '../database/index.ts';
import { LockstepError } from '../domain/index.ts';
import type { Runtime } from '../runtime/index.ts';
import type { LogTerm, PositionStore, SavedState, StoredPosition } from './port.ts';
import sharedSql from './sql/positions.sql?raw';
import mysqlSql from './sql/positions.mysql.sql?raw';
import pgSql from './sql/positions.pg.sql?raw';

const SQL = readStatements(
  { shared: sharedSql, pg: pgSql, mysql2: mysqlSql },
  ['lock', 'unlock', 'take-over', 'save', 'read-status', 'ping', 'count-bypassed', 'list-bypassed'],
  { pg: ['reset-idle-time'], mysql2: ['read', 'limit-idle-time', 'lift-idle-limit'] },
);

/** How long a session may be silent before the database ends it and another instance leads. */
const SILENCE_MS = 15_000;
const PING_EVERY_MS = 3_000;
/** Most tables that are listed. */
const MAX_TABLES = 100;

export interface PositionStoreOptions {
  sql: SqlRunner;
  /** Tells this change log from others of the same database: the slot's name. */
  name: string;
  runtime: Pick<Runtime, 'timers' | 'ids'>;
}

/**
 * The change log's position in Lockstep's own tables, and its leadership: a lock that belongs to a session of the
 * database. The lock is free the moment its process is gone, so that nobody waits for a dead leader's term to expire.
 * A leader that has lost its lock does no harm: its saves are refused, and invalidations can be repeated.
 */
export function createPositionStore(options: PositionStoreOptions): PositionStore {
  const { sql, name } = options;
  return {
    exclusively: (work) => sql.session((session) => leadLog(options, session, work)),

    async status() {
      const [row] = (await sql.run(SQL['read-status'], { name })).rows;
      if (row === undefined) return null;
      return {
        savedAgoMs: Number(row.saved_ago_ms),
        lagMs: Number(row.lag_ms),
        sweeping: row.sweeps !== '',
      };
    },

    async bypassCounts() {
      const { rows } = await sql.run(SQL['list-bypassed'], { limit: MAX_TABLES });
      return rows.map((row) => ({
        table: row.table_name ?? '',
        changes: Number(row.changes),
        agoMs: Math.max(0, Number(row.ago_ms)),
      }));
    },
  };
}

async function leadLog(
  { sql, name, runtime }: PositionStoreOptions,
  session: SqlSession,
  work: (term: LogTerm) => Promise<void>,
): Promise<boolean> {
  if (!(await lock(sql, session, name))) return false;
  const over = new AbortController();
  const lost = new AbortController();
  const pinging = keepAlive(session, runtime, over.signal, lost);
  let failure: { error: unknown } | null = null;
  try {
    const holder = runtime.ids.next();
    const stored = await takeOver(sql, session, name, holder);
    await work({
      stored,
      signal: lost.signal,
      save: (state) => save(sql, name, holder, state),
    });
  } catch (error) {
    failure = { error };
  }
  over.abort();
  await pinging;
  try {
    if (!lost.signal.aborted) await unlock(sql, session, name);
  } catch (error) {
    // A session that cannot release its lock is ending, and the lock with it; the term's own failure says more.
    failure ??= { error };
  }
  if (failure !== null) throw failure.error;
  return true;
}

async function lock(sql: SqlRunner, session: SqlSession, name: string): Promise<boolean> {
  const { rows } = await session.run(SQL.lock, { name, silenceMs: SILENCE_MS });
  const isLocked = rows[0]?.locked === 't' || rows[0]?.locked === '1';
  if (isLocked && hasStatement(sql, SQL['limit-idle-time'])) {
    await session.run(SQL['limit-idle-time'], { silenceSeconds: SILENCE_MS / 1_000 });
  }
  if (!isLocked && hasStatement(sql, SQL['reset-idle-time']))
    await session.run(SQL['reset-idle-time']);
  return isLocked;
}

async function unlock(sql: SqlRunner, session: SqlSession, name: string): Promise<void> {
  await session.run(SQL.unlock, { name });
  if (hasStatement(sql, SQL['lift-idle-limit'])) await session.run(SQL['lift-idle-limit']);
}

/** Pings until the term is over; after a ping that failed the lock may be gone. Never rejects. */
async function keepAlive(
  session: SqlSession,
  { timers }: Pick<Runtime, 'timers'>,
  over: AbortSignal,
  lost: AbortController,
): Promise<void> {
  for (;;) {
    await timers.sleep(PING_EVERY_MS, over);
    if (over.aborted) return;
    try {
      await session.run(SQL.ping);
    } catch {
      lost.abort();
      return;
    }
  }
}

async function takeOver(
  sql: SqlRunner,
  session: SqlSession,
  name: string,
  holder: string,
): Promise<StoredPosition> {
  const taken = await session.run(SQL['take-over'], { name, holder });
  const { rows } = hasStatement(sql, SQL.read) ? await session.run(SQL.read, { name }) : taken;
  return storedPosition(rows[0]);
}

function storedPosition(row: SqlRow | undefined): StoredPosition {
  const sweeps = row?.sweeps ?? '';
  return {
    position: row?.log_position ?? null,
    sweeps: sweeps === '' ? [] : sweeps.split(','),
  };
}

function save(sql: SqlRunner, name: string, holder: string, state: SavedState): Promise<void> {
  const { position, sweeps, lagMs, bypassed } = state;
  return sql.transaction(async (session) => {
    const bindings = { name, holder, position, sweeps: sweeps.join(','), lagMs };
    const { affected } = await session.run(SQL.save, bindings);
    if (affected === 0) {
      throw new LockstepError('LOCK_TIMEOUT', 'Another instance follows the change log now.');
    }
    for (const [table, changes] of bypassed)
      await session.run(SQL['count-bypassed'], { table, changes });
  });
}
