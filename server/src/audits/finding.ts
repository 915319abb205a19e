import { type DriftClass, type Finding, jsonText, type Row } from '@lockstep/shared';
import type { NewFinding } from './store.ts';
import type { Observation } from './observation.ts';

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
