/** Reads runs, and single columns, from rows of the audits' tables. */
import {
  DRIFT_CLASSES,
  REPAIR_RULES,
  type AuditRunSummary,
  type DriftClass,
} from '@lockstep/shared';
import type { SqlRow } from '../database/index.ts';
import { LockstepError } from '../domain/index.ts';

/** Column of the runs' table that counts a class. */
const DRIFT_COLUMNS = {
  stale: 'stale',
  orphan: 'orphan',
  'negative-stale': 'negative_stale',
  corrupt: 'corrupt',
  'no-ttl': 'no_ttl',
} as const satisfies Record<DriftClass, string>;

const TRIGGERS = ['schedule', 'demand'] as const;
const RUN_STATUSES = ['running', 'done', 'failed'] as const;

/** @throws LockstepError `INTERNAL` where the row is not one that this version has written */
export function runOf(row: SqlRow): AuditRunSummary {
  const drift = { stale: 0, orphan: 0, 'negative-stale': 0, corrupt: 0, 'no-ttl': 0 };
  for (const name of DRIFT_CLASSES) drift[name] = numberOf(row, DRIFT_COLUMNS[name]);
  return {
    id: textOf(row, 'id'),
    resource: textOf(row, 'resource'),
    trigger: oneOf(TRIGGERS, row, 'started_by'),
    status: oneOf(RUN_STATUSES, row, 'status'),
    startedAtMs: numberOf(row, 'started_at_ms'),
    endedAtMs: numberOrNull(row, 'ended_at_ms'),
    sampled: numberOf(row, 'sampled'),
    drift,
    repaired: numberOf(row, 'repaired'),
    failed: numberOf(row, 'failed'),
    repair: oneOf(REPAIR_RULES, row, 'repair_rule'),
    error: row.error ?? null,
  };
}

export function textOf(row: SqlRow, column: string): string {
  const value = row[column];
  if (value === null || value === undefined) throw unreadable(column);
  return value;
}

export function numberOf(row: SqlRow, column: string): number {
  const value = Number(textOf(row, column));
  if (!Number.isFinite(value)) throw unreadable(column);
  return value;
}

export function numberOrNull(row: SqlRow, column: string): number | null {
  return row[column] === null ? null : numberOf(row, column);
}

export function oneOf<T extends string>(allowed: readonly T[], row: SqlRow, column: string): T {
  const found = allowed.find((name) => name === row[column]);
  if (found === undefined) throw unreadable(column);
  return found;
}

const unreadable = (column: string): LockstepError =>
  new LockstepError('INTERNAL', `An audit's stored column ${column} cannot be read.`);
