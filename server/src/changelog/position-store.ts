import {
  hasStatement,
  readStatements,
  type SqlRunner,
  type SqlSession,
} from '../database/index.ts';
import { LockstepError } from '../domain/index.ts';
import type { Runtime } from '../runtime/index.ts';
import type { BypassCount } from './port.ts';
import sharedSql from './sql/change-log-position.sql?raw';

const SQL = readStatements(
  { name: 'change-log-position', shared: sharedSql },
  ['lock', 'unlock', 'take-over', 'save', 'read-status', 'ping', 'count-bypassed', 'list-bypassed'],
  ['reset-idle-time', 'read', 'limit-idle-time', 'lift-idle-limit'],
);

/** How long a session may be silent before the database ends it, so that another instance can lead. */
const SILENCE_MS = 15_000;
const PING_EVERY_MS = 3_000;
/** How many tables are listed at most. */
const MAX_TABLES = 100;

/** One term of leading the change log. */
export interface LogTerm {
  /** What the last leader saved. The position is null if nothing was ever saved. */
  stored: {
    position: string | null;
    sweeps: string[];
    /** What the last term followed (`followedText`); null if an earlier release followed the log. */
    followed: string | null;
  };
  /** Aborts when the leadership is lost. */
  signal: AbortSignal;
  /** @throws LockstepError `LOCK_TIMEOUT` if another instance has taken over */
  save(state: SavedState): Promise<void>;
}

interface SavedState {
  position: string;
  /** Resources whose entries are still to be swept. */
  sweeps: string[];
  /** What this term follows; null to leave it as it is stored. */
  followed: string | null;
  lagMs: number;
  /** Only those since the last save. */
  bypassed: ReadonlyMap<string, number>;
}

export interface PositionStoreOptions {
  sql: SqlRunner;
  /** Distinguishes this change log from others of the same database: the slot's name. */
  name: string;
  runtime: Pick<Runtime, 'timers' | 'ids'>;
}

/**
 * Stores the change log's position in Lockstep's own tables, and decides who leads: the leader holds a lock of a
 * database session. The lock is free as soon as the leader's process is gone, so nobody waits for a dead leader's term
 * to expire. A leader that has lost the lock without noticing does no harm: its saves are refused, and invalidations
 * can be repeated.
 */
export class PositionStore {
  readonly #options: PositionStoreOptions;

  constructor(options: PositionStoreOptions) {
    this.#options = options;
  }

  /**
   * Runs `work` as the leader of the change log. Resolves with false, without running it, if another instance leads.
   */
  exclusively(work: (term: LogTerm) => Promise<void>): Promise<boolean> {
    return this.#options.sql.session(async (session) => {
      if (!(await this.#lock(session))) return false;
      const over = new AbortController();
      const lost = new AbortController();
      const pinging = this.#keepAlive(session, over.signal, lost);
      let failure: { error: unknown } | null = null;
      try {
        const holder = this.#options.runtime.ids.next();
        const stored = await this.#takeOver(session, holder);
        await work({ stored, signal: lost.signal, save: (state) => this.#save(holder, state) });
      } catch (error) {
        failure = { error };
      }
      over.abort();
      await pinging;
      try {
        if (!lost.signal.aborted) await this.#unlock(session);
      } catch (error) {
        // A session that cannot release its lock is ending, and its lock ends with it. If the term itself has failed,
        // its error says more and is kept.
        failure ??= { error };
      }
      if (failure !== null) throw failure.error;
      return true;
    });
  }

  /** What the leader saved last; null if nothing was ever saved. */
  async status(): Promise<{ savedAgoMs: number; lagMs: number; followed: string | null } | null> {
    const { sql, name } = this.#options;
    const [row] = (await sql.run(SQL['read-status'], { name })).rows;
    if (row === undefined) return null;
    return {
      savedAgoMs: Number(row.saved_ago_ms),
      lagMs: Number(row.lag_ms),
      followed: row.followed ?? null,
    };
  }

  /** Most changes first. */
  async bypassCounts(): Promise<BypassCount[]> {
    const { rows } = await this.#options.sql.run(SQL['list-bypassed'], { limit: MAX_TABLES });
    return rows.map((row) => ({
      table: row.table_name ?? '',
      changes: Number(row.changes),
      agoMs: Math.max(0, Number(row.ago_ms)),
    }));
  }

  async #lock(session: SqlSession): Promise<boolean> {
    const { sql, name } = this.#options;
    const { rows } = await session.run(SQL.lock, { name, silenceMs: SILENCE_MS });
    const isLocked = rows[0]?.locked === 't' || rows[0]?.locked === '1';
    if (isLocked && hasStatement(sql, SQL['limit-idle-time']))
      await session.run(SQL['limit-idle-time'], { silenceSeconds: SILENCE_MS / 1_000 });
    if (!isLocked && hasStatement(sql, SQL['reset-idle-time']))
      await session.run(SQL['reset-idle-time']);
    return isLocked;
  }

  async #unlock(session: SqlSession): Promise<void> {
    const { sql, name } = this.#options;
    await session.run(SQL.unlock, { name });
    if (hasStatement(sql, SQL['lift-idle-limit'])) await session.run(SQL['lift-idle-limit']);
  }

  /** Pings until the term is over. If a ping fails, the lock may be gone: aborts `lost`. Never rejects. */
  async #keepAlive(session: SqlSession, over: AbortSignal, lost: AbortController): Promise<void> {
    for (;;) {
      await this.#options.runtime.timers.sleep(PING_EVERY_MS, over);
      if (over.aborted) return;
      try {
        await session.run(SQL.ping);
      } catch {
        return lost.abort();
      }
    }
  }

  async #takeOver(session: SqlSession, holder: string): Promise<LogTerm['stored']> {
    const { sql, name } = this.#options;
    const taken = await session.run(SQL['take-over'], { name, holder });
    const { rows } = hasStatement(sql, SQL.read) ? await session.run(SQL.read, { name }) : taken;
    const sweeps = rows[0]?.sweeps ?? '';
    const position = rows[0]?.log_position ?? null;
    const followed = rows[0]?.followed ?? null;
    return { position, sweeps: sweeps === '' ? [] : sweeps.split(','), followed };
  }

  #save(
    holder: string,
    { position, sweeps, followed, lagMs, bypassed }: SavedState,
  ): Promise<void> {
    const { sql, name } = this.#options;
    return sql.transaction(async (session) => {
      const bindings = { name, holder, position, sweeps: sweeps.join(','), followed, lagMs };
      const { affected } = await session.run(SQL.save, bindings);
      if (affected === 0) throw termLost();
      for (const [table, changes] of bypassed)
        await session.run(SQL['count-bypassed'], { table, changes });
    });
  }
}

export const termLost = (): LockstepError =>
  new LockstepError('LOCK_TIMEOUT', 'Another instance follows the change log now.');
