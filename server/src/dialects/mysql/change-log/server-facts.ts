import type { ZongJiOptions } from '@vlasky/zongji';
import type { SqlRunner } from '../../../database/index.ts';
import { LockstepError } from '../../../domain/index.ts';
import { SQL } from './statements.ts';

/** What must be known about the server to follow its binlog. */
export interface ServerFacts {
  /** The database of the connection. */
  database: string;
  nowMs: number;
  isMariaDb: boolean;
  /** Where the binlog ends now. */
  end: string;
}

/** One line for each wrong setting: `name is value; allowed: …`. */
export async function settingFaults(sql: SqlRunner): Promise<string[]> {
  const settings = await settingsOf(sql);
  const faults: string[] = [];
  const check = (name: string, allowed: RegExp, words: string): void => {
    const value = settings.get(name);
    if (value !== undefined && !allowed.test(value)) {
      faults.push(`${name} is ${value}; allowed: ${words}`);
    }
  };
  check('log_bin', /^(1|on)$/i, 'ON');
  check('binlog_format', /^row$/i, 'ROW');
  check('binlog_row_image', /^full$/i, 'FULL');
  check('binlog_transaction_compression', /^(0|off)$/i, 'OFF');
  return faults;
}

/** @throws LockstepError `INVALID` if a setting prevents following the binlog */
export async function serverFacts(sql: SqlRunner): Promise<ServerFacts> {
  const faults = await settingFaults(sql);
  if (faults.length > 0) throw new LockstepError('INVALID', faults.join('; '));
  const settings = await settingsOf(sql);
  const [now] = (await sql.run(SQL['read-clock'])).rows;
  return {
    database: now?.db ?? '',
    nowMs: Number(now?.now_ms),
    isMariaDb: /mariadb/i.test(settings.get('version') ?? ''),
    end: await endOf(sql, settings),
  };
}

async function settingsOf(sql: SqlRunner): Promise<Map<string, string>> {
  const { rows } = await sql.run(SQL['read-settings']);
  return new Map(rows.map((row) => [row.Variable_name ?? '', row.Value ?? '']));
}

async function endOf(sql: SqlRunner, settings: ReadonlyMap<string, string>): Promise<string> {
  const mariaDbEnd = settings.get('gtid_binlog_pos');
  if (mariaDbEnd !== undefined) return gtidPosition(mariaDbEnd);
  if (settings.get('gtid_mode') === 'ON') return gtidPosition(settings.get('gtid_executed') ?? '');
  const last = (await sql.run(SQL['list-binlogs'])).rows.at(-1);
  return filePosition(last?.Log_name ?? '', Number(last?.File_size ?? 4));
}

/**
 * Parses a stored position. It is `gtid:` with the set of transactions done, which is also valid on another server of
 * the same topology and becomes invalid after a RESET; or, for a server without GTIDs, `file:NAME:OFFSET`.
 */
export function startAt(position: string): ZongJiOptions {
  if (position.startsWith('gtid:')) return { gtidSet: position.slice('gtid:'.length) };
  const [, filename, offset] = /^file:(.+):(\d+)$/.exec(position) ?? [];
  if (filename === undefined) throw new Error(`not a position in a binlog: ${position}`);
  return { filename, position: Number(offset) };
}

export const gtidPosition = (gtidSet: string): string => `gtid:${gtidSet.replaceAll(/\s/g, '')}`;
export const filePosition = (filename: string, offset: number): string =>
  `file:${filename}:${offset}`;
