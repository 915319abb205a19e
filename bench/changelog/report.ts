import type { Flood, Pace } from './rows.ts';

export interface Report {
  database: string;
  flood: Flood;
  pace: Pace;
}

const LEAST_CHANGES_PER_SECOND = 5_000;
const MOST_P99_MS = 100;
/** The mean of the last quarter over that of the second. In the first quarter the heap is still growing to its size. */
const MOST_GROWTH = 1.15;

export function memoryGrowth(memoryMib: readonly number[]): number {
  const quarter = Math.max(1, Math.floor(memoryMib.length / 4));
  return mean(memoryMib.slice(-quarter)) / mean(memoryMib.slice(quarter, 2 * quarter));
}

export function formatReport({ database, flood, pace }: Report): string {
  const { memoryMib } = flood;
  const first = memoryMib[0] ?? Number.NaN;
  return [
    `${database}`,
    `  flood  ${flood.changes} changes, ${Math.round(flood.changesPerSecond)} a second turned into invalidations, ${flood.cpuMicrosEach.toFixed(0)} µs of the coordinator's CPU each`,
    `         memory ${first.toFixed(0)} MiB at first, at most ${Math.max(...memoryMib).toFixed(0)}, growth ${memoryGrowth(memoryMib).toFixed(2)}`,
    `  pace   ${pace.changesPerSecond} a second for ${pace.seconds} s: ${pace.invalidated} invalidated, p50 ${pace.p50Ms.toFixed(1)} ms, p99 ${pace.p99Ms.toFixed(1)} ms, worst ${pace.worstMs.toFixed(1)} ms after the commit (which itself takes ${pace.commitP99Ms.toFixed(1)} ms, p99)`,
  ].join('\n');
}

/** One line for each goal that is missed. */
export function findFailures({ flood, pace }: Report): string[] {
  const failures: string[] = [];
  if (flood.changesPerSecond < LEAST_CHANGES_PER_SECOND) {
    failures.push(
      `${Math.round(flood.changesPerSecond)} changes a second; the goal is ${LEAST_CHANGES_PER_SECOND}`,
    );
  }
  const growth = memoryGrowth(flood.memoryMib);
  if (growth > MOST_GROWTH) failures.push(`memory grew by ${growth.toFixed(2)}`);
  if (!(pace.p99Ms <= MOST_P99_MS)) {
    failures.push(`p99 is ${pace.p99Ms.toFixed(1)} ms; the goal is ${MOST_P99_MS}`);
  }
  const sent = pace.changesPerSecond * pace.seconds;
  if (pace.invalidated < sent) failures.push(`${sent - pace.invalidated} changes not invalidated`);
  return failures;
}

const mean = (values: readonly number[]): number =>
  values.reduce((sum, value) => sum + value, 0) / values.length;
