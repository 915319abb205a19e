/** The lab's answers and figures as text. Pure functions. */
import {
  databaseShare,
  type Bounds,
  type Measured,
  type Measurements,
  type Property,
  type Report,
  stalePerMillion,
  type Trace,
} from '@lockstep/lab';
import { amountText, countOf, countText, NOTHING, percentText } from '../format.ts';

export interface Question {
  property: Property;
  /** For the head of a column. */
  short: string;
  /** For a trace. */
  title: string;
  meaning: string;
}

export const QUESTIONS: readonly Question[] = [
  {
    property: 'staleForGood',
    short: 'For good',
    title: 'Old for good',
    meaning:
      'Nothing more will happen, and the cache holds a value that the database does not: old until its time to live ends.',
  },
  {
    property: 'staleForAWhile',
    short: 'A while',
    title: 'Old for a while',
    meaning:
      'A read answers an older value than was acknowledged, or answered to another read, before it.',
  },
  {
    property: 'lostWrite',
    short: 'Lost',
    title: 'A lost write',
    meaning: 'An acknowledged write is overwritten by one that had not seen it.',
  },
  {
    property: 'neverWas',
    short: 'Never was',
    title: 'What never was',
    meaning: 'A reader is shown a value that was never committed.',
  },
];

const titleOf = (property: Property): string =>
  QUESTIONS.find((it) => it.property === property)?.title ?? property;

/** `Old for good, where a delete fails: 2 steps`. */
export function traceTitle({ property, faults, steps }: Trace): string {
  const kinds = [...new Set(faults)];
  const where = kinds.length === 0 ? 'without any fault' : `where ${kinds.join(' and ')}`;
  return `${titleOf(property)}, ${where}: ${countOf(steps.length, 'step')}`;
}

/** The bounds of an exploration: `2 writers, 2 readers, each kind of fault once`. */
export function boundsText({ writers, readers, faults, recoveries }: Bounds): string {
  const times = faults === 1 ? 'once' : `${faults} times`;
  return [
    countOf(writers, 'writer'),
    countOf(readers, 'reader'),
    ...(recoveries > 0 ? [countOf(recoveries, 'recovery', 'recoveries')] : []),
    `each kind of fault at most ${times}`,
  ].join(', ');
}

/** The answer to a question; a `yes` has the number of steps of its shortest trace. */
export function answerText({ traces, isComplete }: Report, property: Property): string {
  const [shortest] = traces[property];
  if (shortest !== undefined) return `yes, ${shortest.steps.length}`;
  return isComplete ? 'no' : 'unknown';
}

/** Milliseconds with their significant digits: `0.84`, `4.1`, `212`. */
const msText = (ms: number): string =>
  ms >= 99.95 ? countText(ms) : ms >= 9.95 ? ms.toFixed(0) : ms.toFixed(ms >= 0.995 ? 1 : 2);

/** `2.1 / 9.8 ms`. */
export const quantilesText = ({ p50, p99 }: { p50: number; p99: number }): string =>
  `${msText(p50)} / ${msText(p99)} ms`;

/** The ages of stale reads; a dash if there were none. */
export const ageText = ({ staleAgeMs }: Measured): string =>
  staleAgeMs === null ? NOTHING : quantilesText(staleAgeMs);

export const databaseReadsText = (row: Measured): string => percentText(databaseShare(row));

/**
 * Stale reads in a million. If none of `n` reads was stale, the true rate is at most 3 in `n` with 95% confidence (the
 * rule of three: J. A. Hanley and A. Lippman-Hand, "If nothing goes wrong, is everything all right?", JAMA 1983).
 */
export function staleText(row: Measured): string {
  if (row.reads === 0) return NOTHING;
  if (row.staleReads > 0) return amountText(Math.round(stalePerMillion(row)));
  return `0 (≤ ${amountText(Math.ceil(3_000_000 / row.reads))})`;
}

/** Where the figures come from, in a sentence or two. */
export function provenance({ date, note, machine, servers, requests }: Measurements): string {
  const { cpu, cores, memoryGb } = machine;
  const where = `${countOf(cores, 'core')} (${cpu}), ${memoryGb} GB, ${servers.database}, ${servers.cache}`;
  return `Measured ${date.slice(0, 10)} on ${where}; ${countText(requests)} requests a row, one in ten of them a write. ${note}`.trim();
}
