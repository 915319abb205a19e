/** Reads runs and findings from rows of their tables, and writes findings as such rows. */
import {
  DRIFT_CLASSES,
  REPAIR_RULES,
  type AuditRunSummary,
  type DriftClass,
  type Finding,
  jsonText,
  parseJson,
} from '@lockstep/shared';
import type { SqlRow } from '../database/index.ts';
import { LockstepError } from '../domain/index.ts';
import type { NewFinding } from './store.ts';

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
const FINDING_STATUSES = ['open', 'repaired', 'failed', 'superseded'] as const;
const SAMPLED_FROM = ['cache', 'table', 'recent', 'hot'] as const;

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

/** What `add-finding` binds; `findingOfRow` reads it back. */
export function bindingsOf(finding: NewFinding): Record<string, string> {
  const { database, cache, ...columns } = finding;
  return { ...columns, databaseSide: jsonText(database), cacheSide: jsonText(cache) };
}

/** @throws LockstepError `INTERNAL` where the row is not one that this version has written */
export function findingOfRow(row: SqlRow): Finding {
  return {
    id: textOf(row, 'id'),
    runId: textOf(row, 'run_id'),
    resource: textOf(row, 'resource'),
    key: textOf(row, 'key_text'),
    cacheKey: textOf(row, 'cache_key'),
    class: oneOf(DRIFT_CLASSES, row, 'class'),
    foundAtMs: numberOf(row, 'found_at_ms'),
    sampledFrom: oneOf(SAMPLED_FROM, row, 'sampled_from'),
    // Written by `bindingsOf` from these types.
    database: parseJson(textOf(row, 'database_side')) as unknown as Finding['database'],
    cache: parseJson(textOf(row, 'cache_side')) as unknown as Finding['cache'],
    status: oneOf(FINDING_STATUSES, row, 'status'),
    repair: repairOf(row),
  };
}

function repairOf(row: SqlRow): Finding['repair'] {
  const atMs = numberOrNull(row, 'repair_at_ms');
  if (atMs === null) return null;
  return { rule: oneOf(REPAIR_RULES, row, 'repair_rule'), atMs, error: row.repair_error ?? null };
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

function oneOf<T extends string>(allowed: readonly T[], row: SqlRow, column: string): T {
  const found = allowed.find((name) => name === row[column]);
  if (found === undefined) throw unreadable(column);
  return found;
}

const unreadable = (column: string): LockstepError =>
  new LockstepError('INTERNAL', `An audit's stored column ${column} cannot be read.`);
