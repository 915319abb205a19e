/** Refreshed tables in words for operators. */
import type { RefreshStatus } from '@lockstep/shared';
import { agoText, countOf, durationText } from './format.ts';
import type { Remark } from './remark.ts';

/** A run of a small table takes seconds; one that has not ended by now most likely died with its coordinator. */
const STALLED_MS = 60_000;

export interface RefreshWord {
  tone: 'ok' | 'watch' | 'info' | 'unknown';
  word: string;
  /** What it is at, or what is wrong; empty where the word says all. */
  detail: string;
}

/** For how long a run has been under way; null where none is. */
function runningMs({ phase, startedAtMs }: RefreshStatus, nowMs: number): number | null {
  if (startedAtMs === null || (phase !== 'reading' && phase !== 'swapping')) return null;
  return Math.max(0, nowMs - startedAtMs);
}

const isStalled = (status: RefreshStatus, nowMs: number): boolean =>
  (runningMs(status, nowMs) ?? 0) > STALLED_MS;

/** The last run in a word. */
export function refreshWord(status: RefreshStatus, nowMs: number): RefreshWord {
  const forMs = runningMs(status, nowMs);
  if (forMs !== null && forMs > STALLED_MS) {
    return { tone: 'watch', word: 'no end', detail: `began ${agoText(forMs)}` };
  }
  switch (status.phase) {
    case 'waiting':
      return { tone: 'unknown', word: 'not run yet', detail: '' };
    case 'reading':
      return { tone: 'info', word: 'reading', detail: `the table, for ${durationText(forMs)}` };
    case 'swapping':
      return {
        tone: 'info',
        word: 'writing',
        detail: `${countOf(status.rows, 'row')}, after ${durationText(forMs)}`,
      };
    case 'done':
      return { tone: 'ok', word: 'refreshed', detail: '' };
    case 'failed':
      return { tone: 'watch', word: 'failed', detail: status.error ?? '' };
  }
}

/** What to say in the verdict; nothing where all is well. */
export function refreshRemarks(refreshes: readonly RefreshStatus[], nowMs: number): Remark[] {
  return refreshes.flatMap((status): Remark[] => {
    const { resource, phase, error } = status;
    const stalled = isStalled(status, nowMs);
    if (phase !== 'failed' && !stalled) return [];
    return [
      {
        level: 'watch',
        what: stalled
          ? `The refresh of ${resource} has not ended`
          : `The last refresh of ${resource} failed`,
        safe: `${stalled ? 'Its coordinator may have died on the way' : (error ?? 'It gave no reason')}. ${readersSee(status, nowMs)} Refreshing it again is always safe.`,
        href: '#/',
      },
    ];
  });
}

function readersSee({ resource, lastGood }: RefreshStatus, nowMs: number): string {
  if (lastGood === null) return `Reads of ${resource} go to the database.`;
  return `Readers see the rows of ${agoText(Math.max(0, nowMs - lastGood.atMs))}, and the database once those run out.`;
}
