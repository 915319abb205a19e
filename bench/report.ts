import type { RoundResult } from './round.ts';
import { median } from './statistics.ts';
import { alignColumns } from './text-table.ts';

export const ROW_NAMES = [
  'bare',
  'redlock',
  'redis-semaphore',
  'bentocache',
  'cacheable',
  'delete-after-write',
  'strict',
  'bare-hot',
  'redlock-hot',
  'redis-semaphore-hot',
  'strict-hot',
  'client-delete-after-write',
  'client-strict',
  'client-strict-hot',
  'client-keyed-delete-after-write',
  'client-keyed-strict',
  'strict-verified',
  'strict-verified-hot',
] as const;
export type RowName = (typeof ROW_NAMES)[number];

/** Rows that run only if they are asked for, because they need a separate coordinator. */
export const EXTRA_ROWS: ReadonlySet<RowName> = new Set(['strict-verified', 'strict-verified-hot']);

interface Ratio {
  ours: RowName;
  theirs: RowName;
  /** Null if the ratio is only for information. */
  target: number | null;
}

const RATIOS: readonly Ratio[] = [
  { ours: 'delete-after-write', theirs: 'bare', target: 0.4 },
  { ours: 'strict', theirs: 'redlock', target: 0.6 },
  { ours: 'strict-hot', theirs: 'redlock-hot', target: 1 },
  { ours: 'client-delete-after-write', theirs: 'bare', target: 1.2 },
  { ours: 'client-strict', theirs: 'client-delete-after-write', target: 0.7 },
  { ours: 'client-strict', theirs: 'redlock', target: 1.7 },
  { ours: 'client-strict', theirs: 'bare', target: 0.9 },
  { ours: 'client-strict-hot', theirs: 'redlock-hot', target: null },
  { ours: 'client-strict-hot', theirs: 'bare-hot', target: 3 },
  { ours: 'client-strict', theirs: 'redis-semaphore', target: null },
  { ours: 'client-strict-hot', theirs: 'redis-semaphore-hot', target: null },
  { ours: 'client-delete-after-write', theirs: 'bentocache', target: null },
  { ours: 'client-delete-after-write', theirs: 'cacheable', target: null },
  { ours: 'client-keyed-delete-after-write', theirs: 'bare', target: null },
  { ours: 'client-keyed-strict', theirs: 'redlock', target: null },
  { ours: 'strict-verified', theirs: 'strict', target: null },
  { ours: 'strict-verified-hot', theirs: 'strict-hot', target: null },
];

/** Medians over the rounds of one row; `errors` is the sum. Ratios are medians of the rounds' ratios. */
export interface Row {
  row: RowName;
  opsPerSecond: number;
  p50Ms: number;
  p99Ms: number;
  errors: number;
  /** For hot rows: the lowest of the rounds. */
  jain?: number;
  /** Writes a second of each round. */
  rounds: number[];
}

export interface Report {
  /** By `OURS/THEIRS`; null if one of the two was not measured. */
  ratios: Record<string, number | null>;
  jain: Record<'strict-hot' | 'redlock-hot', number | null>;
  rows: Row[];
}

export function summarize(results: ReadonlyMap<RowName, readonly RoundResult[]>): Report {
  const rows = [...results].map(([name, rounds]) => summarizeRow(name, rounds));
  // Compares round by round, because rounds that ran at about the same time had the same conditions.
  const ratio = (ours: RowName, theirs: RowName): number | null => {
    const [a, b] = [results.get(ours), results.get(theirs)];
    if (a === undefined || b === undefined) return null;
    const ratios = a.map((round, index) => round.opsPerSecond / (b[index]?.opsPerSecond ?? NaN));
    return rounded(median(ratios), 3);
  };
  const jain = (name: RowName): number | null => rows.find((row) => row.row === name)?.jain ?? null;
  return {
    ratios: Object.fromEntries(
      RATIOS.filter(({ ours }) => results.has(ours) || !EXTRA_ROWS.has(ours)).map(
        ({ ours, theirs }) => [`${ours}/${theirs}`, ratio(ours, theirs)],
      ),
    ),
    jain: { 'strict-hot': jain('strict-hot'), 'redlock-hot': jain('redlock-hot') },
    rows,
  };
}

function summarizeRow(row: RowName, rounds: readonly RoundResult[]): Row {
  return {
    row,
    opsPerSecond: rounded(median(rounds.map((round) => round.opsPerSecond)), 1),
    p50Ms: rounded(median(rounds.map((round) => round.p50Ms)), 2),
    p99Ms: rounded(median(rounds.map((round) => round.p99Ms)), 2),
    errors: rounds.reduce((sum, round) => sum + round.errors, 0),
    ...(row.endsWith('-hot')
      ? { jain: rounded(Math.min(...rounds.map((round) => round.jain)), 3) }
      : {}),
    rounds: rounds.map((round) => rounded(round.opsPerSecond, 1)),
  };
}

/** The report as text for people. */
export function formatReport(report: Report): string {
  const header = ['row', 'writes/s', 'p50 ms', 'p99 ms', 'errors', 'Jain', 'rounds (writes/s)'];
  const lines = report.rows.map((row) => [
    row.row,
    row.opsPerSecond.toFixed(0),
    row.p50Ms.toFixed(1),
    row.p99Ms.toFixed(1),
    String(row.errors),
    row.jain === undefined ? '' : row.jain.toFixed(3),
    row.rounds.map((rate) => rate.toFixed(0)).join(' '),
  ]);
  const ratios = Object.entries(report.ratios).map(([name, ratio]) => {
    const target = RATIOS.find(({ ours, theirs }) => `${ours}/${theirs}` === name)?.target ?? null;
    const mark = target === null ? '' : `to reach: ${target}`;
    return [name, ratio === null ? 'not measured' : ratio.toFixed(2), mark];
  });
  return `${alignColumns([header, ...lines])}\n\n${alignColumns([['ratio', '', ''], ...ratios])}`;
}

const rounded = (value: number, digits: number): number => Number(value.toFixed(digits));
