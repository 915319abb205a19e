import type { RefreshStatus } from '@lockstep/shared';
import { type SqlRow, type SqlRunner, readStatements } from '../database/index.ts';
import sharedSql from './sql/refreshes.sql?raw';

const SQL = readStatements({ name: 'refreshes', shared: sharedSql }, [
  'begin',
  'begin-swap',
  'complete',
  'fail',
  'list',
]);

const MAX_ERROR_LENGTH = 1_000;

type StoredRefresh = Omit<RefreshStatus, 'nextAtMs'>;

/** The last run of each refreshed resource; times are the database's own. Rejects with `DATABASE_UNAVAILABLE`. */
export class RefreshRuns {
  readonly #sql: SqlRunner;

  constructor(sql: SqlRunner) {
    this.#sql = sql;
  }

  async begin(resource: string, trigger: 'schedule' | 'demand'): Promise<void> {
    await this.#sql.run(SQL.begin, { resource, trigger });
  }

  async swapping(resource: string, rows: number): Promise<void> {
    await this.#sql.run(SQL['begin-swap'], { resource, rows });
  }

  async done(resource: string, removed: number): Promise<void> {
    await this.#sql.run(SQL.complete, { resource, removed });
  }

  async failed(resource: string, error: string): Promise<void> {
    await this.#sql.run(SQL.fail, { resource, error: error.slice(0, MAX_ERROR_LENGTH) });
  }

  async list(): Promise<StoredRefresh[]> {
    return (await this.#sql.run(SQL.list)).rows.map(statusOf);
  }
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
