import type { RefreshStatus } from '@lockstep/shared';
import type { SqlRow, SqlRunner, SqlStatement } from '../database/index.ts';
import list from './sql/list.sql?raw';
import mysqlBegin from './sql/mysql/begin.sql?raw';
import mysqlDone from './sql/mysql/done.sql?raw';
import mysqlFailed from './sql/mysql/failed.sql?raw';
import pgBegin from './sql/pg/begin.sql?raw';
import pgDone from './sql/pg/done.sql?raw';
import pgFailed from './sql/pg/failed.sql?raw';
import swapping from './sql/swapping.sql?raw';

const BEGIN: SqlStatement = { pg: pgBegin, mysql2: mysqlBegin };
const SWAPPING: SqlStatement = { pg: swapping, mysql2: swapping };
const DONE: SqlStatement = { pg: pgDone, mysql2: mysqlDone };
const FAILED: SqlStatement = { pg: pgFailed, mysql2: mysqlFailed };
const LIST: SqlStatement = { pg: list, mysql2: list };
const MAX_ERROR_LENGTH = 1_000;

export type StoredRefresh = Omit<RefreshStatus, 'nextAtMs'>;

/** The last run of each refreshed resource; times are the database's own. Rejects with `DATABASE_UNAVAILABLE`. */
export interface RefreshRuns {
  begin(resource: string, trigger: 'schedule' | 'demand'): Promise<void>;
  swapping(resource: string, rows: number): Promise<void>;
  done(resource: string, removed: number): Promise<void>;
  failed(resource: string, error: string): Promise<void>;
  list(): Promise<StoredRefresh[]>;
}

export function createRefreshRuns({ sql }: { sql: SqlRunner }): RefreshRuns {
  const run = async (...statement: Parameters<SqlRunner['run']>): Promise<void> => {
    await sql.run(...statement);
  };
  return {
    begin: (resource, trigger) => run(BEGIN, { resource, trigger }),
    swapping: (resource, rows) => run(SWAPPING, { resource, rows }),
    done: (resource, removed) => run(DONE, { resource, removed }),
    failed: (resource, error) => run(FAILED, { resource, error: error.slice(0, MAX_ERROR_LENGTH) }),
    list: async () => (await sql.run(LIST)).rows.map(statusOf),
  };
}

function statusOf(row: SqlRow): StoredRefresh {
  const goodAtMs = numberOrNull(row.good_at_ms);
  return {
    resource: row.resource ?? '',
    phase: phaseOf(row.phase),
    rows: Number(row.row_count),
    removed: Number(row.removed_count),
    startedAtMs: numberOrNull(row.started_at_ms),
    endedAtMs: numberOrNull(row.ended_at_ms),
    error: row.error ?? null,
    lastGood:
      goodAtMs === null
        ? null
        : { rows: Number(row.good_rows), atMs: goodAtMs, tookMs: Number(row.good_took_ms) },
  };
}

const PHASES = ['waiting', 'reading', 'swapping', 'done', 'failed'] as const;
const phaseOf = (text: string | null | undefined): StoredRefresh['phase'] =>
  PHASES.find((phase) => phase === text) ?? 'waiting';
const numberOrNull = (text: string | null | undefined): number | null =>
  text === null || text === undefined ? null : Number(text);
