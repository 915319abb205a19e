import { quantileOf } from '../statistics.ts';
import { alignColumns } from '../text-table.ts';
import type { Aftermath } from './aftermath.ts';
import { isByHand } from './by-hand/protocol.ts';
import { type ContenderName, isStrict } from './contender.ts';
import type { FaultCounts } from './faults/plan.ts';
import type { Finding } from './judge.ts';
import type { LoadResult } from './load.ts';

export interface Row {
  contender: ContenderName;
  /** Whether faults were injected. */
  faults: boolean;
  /** Answered reads and writes. */
  requests: number;
  /** Answered reads. */
  reads: number;
  staleReads: number;
  /** For how long a newer write had been acknowledged; null if no read was stale. */
  staleAgeMs: { p50: number; p99: number; max: number } | null;
  /** Stale reads without an answer that had said that the cache may still hold an older value. */
  unexcusedReads: number;
  /** Reads below an earlier answer, but not below an acknowledged write. */
  backwardReads: number;
  staleForGood: number;
  lostUpdates: number;
  requestsPerSecond: number;
  writesPerSecond: number;
  writeMs: { p50: number; p99: number };
  readMs: { p50: number; p99: number };
  /** Reads that the database answered. */
  databaseReads: number;
  databaseReadsPerRequest: number;
  /** The first few reads that were stale or backward. */
  findings: readonly Finding[];
  errors: number;
  errorsByKind: Record<string, number>;
  faultsInjected: FaultCounts;
}

export interface Report {
  /** The least number of requests of each row. */
  requests: number;
  seed: number;
  rows: Row[];
}

export interface RunResult {
  contender: ContenderName;
  faults: FaultCounts | null;
  load: LoadResult;
  aftermath: Aftermath;
}

export function summarize({ contender, faults, load, aftermath }: RunResult): Row {
  const ages = load.judge.staleAgesMs();
  const perSecond = (count: number): number => rounded((count * 1000) / load.tookMs, 1);
  return {
    contender,
    faults: faults !== null,
    requests: load.requests,
    reads: load.readMs.count,
    staleReads: load.judge.staleReads,
    staleAgeMs:
      ages.length === 0 ? null : { ...quantiles(ages), max: rounded(ages.at(-1) ?? 0, 2) },
    unexcusedReads: load.judge.unexcusedReads,
    backwardReads: load.judge.backwardReads,
    ...aftermath,
    requestsPerSecond: perSecond(load.requests),
    writesPerSecond: perSecond(load.writes),
    writeMs: quantiles(load.writeMs.sorted()),
    readMs: quantiles(load.readMs.sorted()),
    databaseReads: load.databaseReads,
    databaseReadsPerRequest: rounded(load.databaseReads / load.requests, 4),
    findings: load.judge.findings,
    errors: Object.values(load.errors).reduce((sum, count) => sum + count, 0),
    errorsByKind: load.errors,
    faultsInjected: faults ?? {},
  };
}

const quantiles = (sorted: Float64Array): { p50: number; p99: number } => ({
  p50: rounded(quantileOf(sorted, 0.5), 2),
  p99: rounded(quantileOf(sorted, 0.99), 2),
});

/**
 * Broken promises of a row. Policies other than `strict` promise what their answers say, and that no entry stays old.
 */
function brokenPromises(row: Row): number {
  const { contender, staleReads, backwardReads, unexcusedReads, staleForGood, lostUpdates } = row;
  const everywhere = unexcusedReads + staleForGood + lostUpdates;
  if (isStrict(contender)) return everywhere + staleReads + backwardReads;
  return isByHand(contender) ? 0 : everywhere;
}

/** What the benchmark had to show and did not; empty if nothing. */
export function findFailures(rows: readonly Row[]): string[] {
  const name = (row: Row): string => `${row.contender} ${row.faults ? 'with' : 'without'} faults`;
  const broken = rows
    .filter((row) => brokenPromises(row) > 0)
    .map((row) => `${name(row)}: a promise is broken ${JSON.stringify(row.findings)}`);
  const harmless = rows
    .filter(({ contender, staleReads }) => contender === 'cache-aside' && staleReads === 0)
    .map((row) => `${name(row)}: no stale read, so this load proves nothing`);
  const failing = rows
    .filter(({ faults, errors }) => !faults && errors > 0)
    .map((row) => `${name(row)}: ${row.errors} calls failed`);
  return [...broken, ...harmless, ...failing];
}

/** One line about a row that has ended. */
export function formatProgress(row: Row): string {
  const errors = Object.entries(row.errorsByKind).map(([kind, count]) => `${kind} ${count}`);
  const faults = Object.entries(row.faultsInjected).map(([kind, count]) => `${kind} ${count}`);
  return [
    `${row.contender}${row.faults ? ', faults' : ''}: ${row.staleReads} stale`,
    `${row.requestsPerSecond.toFixed(0)} requests/s`,
    ...(faults.length === 0 ? [] : [`faults: ${faults.join(', ')}`]),
    ...(errors.length === 0 ? [] : [`errors: ${errors.join(', ')}`]),
  ].join('; ');
}

type Column = readonly [title: string, cell: (row: Row) => string];

const OUTCOMES: readonly Column[] = [
  ['requests', (row) => grouped(row.requests)],
  ['stale reads', (row) => grouped(row.staleReads)],
  ['a million', (row) => grouped(Math.round((row.staleReads * 1_000_000) / (row.reads || 1)))],
  ['age p50 ms', (row) => row.staleAgeMs?.p50.toFixed(1) ?? ''],
  ['p99', (row) => row.staleAgeMs?.p99.toFixed(0) ?? ''],
  ['max', (row) => row.staleAgeMs?.max.toFixed(0) ?? ''],
  ['unexcused', (row) => grouped(row.unexcusedReads)],
  ['backward', (row) => grouped(row.backwardReads)],
  ['stale for good', (row) => grouped(row.staleForGood)],
  ['lost updates', (row) => grouped(row.lostUpdates)],
  ['errors', (row) => grouped(row.errors)],
];

const COSTS: readonly Column[] = [
  ['requests/s', (row) => row.requestsPerSecond.toFixed(0)],
  ['writes/s', (row) => row.writesPerSecond.toFixed(0)],
  ['read p50 ms', (row) => row.readMs.p50.toFixed(1)],
  ['p99', (row) => row.readMs.p99.toFixed(1)],
  ['write p50 ms', (row) => row.writeMs.p50.toFixed(1)],
  ['p99', (row) => row.writeMs.p99.toFixed(1)],
  ['database reads a request', (row) => row.databaseReadsPerRequest.toFixed(3)],
];

/** The report as text for people. */
export function formatReport({ rows }: Report): string {
  const parts = [false, true].flatMap((faults) => {
    const some = rows.filter((row) => row.faults === faults);
    const title = faults ? 'With faults' : 'Without faults';
    return some.length === 0 ? [] : [`${title}\n${table(OUTCOMES, some)}\n\n${table(COSTS, some)}`];
  });
  return parts.join('\n\n');
}

function table(columns: readonly Column[], rows: readonly Row[]): string {
  const lines = [
    ['', ...columns.map(([title]) => title)],
    ...rows.map((row) => [row.contender, ...columns.map(([, cell]) => cell(row))]),
  ];
  return alignColumns(lines);
}

const rounded = (value: number, digits: number): number => Number(value.toFixed(digits));
const grouped = (value: number): string => value.toLocaleString('en-US');
