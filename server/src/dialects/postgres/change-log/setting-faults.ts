import type { SqlRunner } from '../../../database/index.ts';
import { SQL } from './statements.ts';

/** Slot names are unique on the whole server: another database, or another program, already has a slot of this name. */
const foreignSlot = (slot: string): string =>
  `the replication slot ${slot} belongs to something else; allowed: a name of its own (changeLog.slot), or none, which is the database’s own`;

/** One line for each wrong setting or missing right, with what is allowed. */
export async function settingFaults(sql: SqlRunner, { slot }: { slot: string }): Promise<string[]> {
  const [row = {}] = (await sql.run(SQL['read-requirements'], { slot })).rows;
  const faults: string[] = [];
  if (row.wal_level !== 'logical') {
    faults.push(`wal_level is ${row.wal_level}; allowed: logical (a restart of the server)`);
  }
  if (Number(row.wal_senders) < 1) faults.push('max_wal_senders is 0; allowed: 1 or more');
  if (Number(row.free_slots) < 1) {
    faults.push('max_replication_slots leaves no slot free; allowed: one for Lockstep');
  }
  if (row.may_replicate !== 't') {
    faults.push('the role may not replicate; allowed: alter role … replication');
  }
  if (row.is_slot_own !== 't') faults.push(foreignSlot(slot));
  return faults;
}
