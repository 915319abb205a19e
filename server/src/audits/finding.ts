/** What a finding is made of: of what was observed, and of its stored row. */
import {
  DRIFT_CLASSES,
  type DriftClass,
  type Finding,
  FINDING_STATUSES,
  jsonText,
  parseJson,
  REPAIR_RULES,
  type Row,
  SAMPLED_FROM,
} from '@lockstep/shared';
import type { SqlRow } from '../database/index.ts';
import type { Observation } from './observation.ts';
import type { NewFinding } from './port.ts';
import { numberOf, numberOrNull, oneOf, textOf } from './stored-rows.ts';

/** Largest row that a finding keeps, in characters of JSON; of a larger one only its beginning is kept. */
const MAX_ROW_LENGTH = 16_384;
const MAX_TEXT_LENGTH = 2_048;
/** The name of the field that holds the beginning of a row that is too large. */
const TRUNCATED = '$truncated';

/**
 * Makes a finding of bounded size from what was observed.
 * @param wallMs this process's wall clock; the entry's age by it is for people to read
 */
export function findingOf(
  { candidate: { key, from }, stored, ttlMs, database }: Observation,
  drift: DriftClass,
  runId: string,
  wallMs: number,
): NewFinding {
  const entry = stored?.entry;
  const readable = entry === undefined || entry.state === 'corrupt' ? null : entry;
  const headed = stored?.isRaw === true ? null : readable;
  return {
    runId,
    resource: key.resource.name,
    key: key.text,
    cacheKey: key.cacheKey,
    class: drift,
    sampledFrom: from,
    database: { version: database?.version ?? 0, row: bounded(database?.row ?? null) },
    cache: {
      version: headed?.version ?? null,
      row: readable?.state === 'value' ? bounded(readable.row) : null,
      ageMs: headed === null ? null : Math.max(0, Math.round(wallMs - headed.writtenAtMs)),
      ttlMs: ttlMs ?? null,
      text: entry?.state === 'corrupt' ? (stored?.text ?? '').slice(0, MAX_TEXT_LENGTH) : null,
    },
  };
}

/** Whether the cache still holds what the finding describes. */
export function isStillThere(finding: Finding, { stored }: Observation): boolean {
  const entry = stored?.entry;
  if (entry === undefined) return false;
  if (entry.state === 'corrupt') {
    return finding.cache.text === (stored?.text ?? '').slice(0, MAX_TEXT_LENGTH);
  }
  const version = entry.state === 'value' && stored?.isRaw !== true ? entry.version : null;
  if (entry.state !== 'value' || finding.cache.version !== version) return false;
  return jsonText(bounded(entry.row)) === jsonText(finding.cache.row);
}

function bounded(row: Row | null): Row | null {
  if (row === null) return null;
  const text = jsonText(row);
  return text.length <= MAX_ROW_LENGTH ? row : { [TRUNCATED]: text.slice(0, MAX_TEXT_LENGTH) };
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
