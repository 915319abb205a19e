import type { SqlRow, SqlRunner } from '../../../database/index.ts';
import { LockstepError } from '../../../domain/index.ts';
import type { Runtime } from '../../../runtime/index.ts';
import { formatLsn, parseLsn } from './lsn.ts';
import { SQL } from './statements.ts';

const FREE_WITHIN_MS = 5_000;
const LOOK_EVERY_MS = 50;

/** The slot's position, and why changes may be missing before it; null if none are. */
export interface SlotOpened {
  position: string;
  gap: string | null;
  /** The database's wall clock. */
  nowMs: number;
}

/**
 * Makes the slot ready for streaming: creates it if it is missing, and creates it anew if it has lost its part of the
 * log. Ends the stream of any other process, because this one leads the change log.
 */
export async function openSlot(
  sql: SqlRunner,
  slot: string,
  stored: string | null,
  lost: string | null,
  runtime: Pick<Runtime, 'clock' | 'timers'>,
): Promise<SlotOpened> {
  let row = await freedSlot(sql, slot, runtime);
  let gap = gapOf(row, slot, stored);
  const nowMs = Number(row.now_ms);
  if (lost !== null) gap = lost;
  const create = SQL[row.has_failover_slots === 't' ? 'create-failover-slot' : 'create-slot'];
  if (row.is_there === 't' && (row.wal_status === 'lost' || lost !== null)) {
    await sql.run(SQL['drop-slot'], { slot });
    row = {};
  }
  if (row.is_there !== 't') {
    const [made] = (await sql.run(create, { slot })).rows;
    return { position: made?.lsn ?? '0/0', gap: gap ?? `slot ${slot} was not there`, nowMs };
  }
  const confirmed = row.confirmed ?? '0/0';
  return { position: gap === null && stored !== null ? stored : confirmed, gap, nowMs };
}

function gapOf(row: SqlRow, slot: string, stored: string | null): string | null {
  if (row.is_there !== 't') {
    return stored === null ? `slot ${slot} is new` : `slot ${slot} is gone`;
  }
  if (row.wal_status === 'lost') return `slot ${slot} has lost its write-ahead log`;
  if (stored === null) return `no position is stored for slot ${slot}`;
  const confirmed = row.confirmed ?? '0/0';
  // Only saved positions are confirmed: a slot that is further was created anew, or advanced by someone else.
  if (parseLsn(confirmed) > parseLsn(stored)) {
    return `slot ${slot} is at ${confirmed}, beyond ${formatLsn(parseLsn(stored))}`;
  }
  return null;
}

function refuseForeign(row: SqlRow, slot: string): void {
  if (row.is_there !== 't' || (row.plugin === 'pgoutput' && row.is_here === 't')) return;
  throw new LockstepError(
    'INVALID',
    `The replication slot ${slot} belongs to something else; allowed: a name of its own (changeLog.slot).`,
  );
}

async function freedSlot(
  sql: SqlRunner,
  slot: string,
  { clock, timers }: Pick<Runtime, 'clock' | 'timers'>,
): Promise<SqlRow> {
  const deadlineMs = clock.nowMs() + FREE_WITHIN_MS;
  for (;;) {
    const row = (await sql.run(SQL['read-slot'], { slot })).rows[0] ?? {};
    // Checked before its reader is ended: that may be another database's Lockstep.
    refuseForeign(row, slot);
    const pid = row.active_pid ?? null;
    if (pid === null) return row;
    if (clock.nowMs() > deadlineMs) {
      throw new LockstepError(
        'DATABASE_UNAVAILABLE',
        `The replication slot ${slot} is in use by process ${pid} of the database.`,
      );
    }
    await sql.run(SQL['end-stream'], { pid });
    await timers.sleep(LOOK_EVERY_MS);
  }
}
