/** The measurements on real servers beside the results of exploring, as a table of at most 100 columns. */
import {
  databaseShare,
  type Measured,
  measuredOf,
  type Measurements,
  stalePerMillion,
} from '../measurements.ts';
import type { Strategy } from '../model/strategy.ts';
import { wrapped } from './lines.ts';

const WIDTH = 100;
const TITLE = 48;
const CELLS = [13, 10, 15, 14] as const;
const HEADINGS = ['write ms', 'db reads', 'stale/M reads', 'age ms'];

/** One table without faults and one with. */
export function measuredTables(
  measurements: Measurements,
  strategies: readonly Strategy[],
): string {
  const tables = [false, true].map((faults) => {
    const lines = strategies.map(({ name, title }) => {
      const { withFaults, withoutFaults } = measuredOf(measurements, name);
      return line(title, cellsOf(faults ? withFaults : withoutFaults));
    });
    const heading = line(`measured ${faults ? 'with' : 'without'} faults`, HEADINGS);
    return [heading, '─'.repeat(WIDTH), ...lines].join('\n');
  });
  return [...tables, provenance(measurements)].join('\n\n');
}

function provenance(measurements: Measurements): string {
  const { date, command, note, machine, servers, requests, failures } = measurements;
  const where = `${machine.cores} cores (${machine.cpu}), ${servers.database}, ${servers.cache}`;
  const about = [
    `Measured ${date.slice(0, 10)} by ${command}: ${requests.toLocaleString('en')} requests a row, on ${where}. ${note}`,
    'write ms, age ms: p50 / p99; age: for how long something newer had been acknowledged when a stale read was sent.',
    'db reads: the share of reads that the database answered. ≤ N: no stale read was seen; there are at most N (95%).',
    ...failures,
  ];
  return about.flatMap((text) => wrapped(text, WIDTH)).join('\n');
}

function cellsOf(row: Measured | null): string[] {
  if (row === null) return ['n/a: not measured'];
  const none = `0 (≤ ${grouped(Math.ceil(3_000_000 / Math.max(1, row.reads)))})`;
  return [
    quantiles(row.writeMs),
    `${(100 * databaseShare(row)).toFixed(1)}%`,
    row.staleReads === 0 ? none : grouped(Math.round(stalePerMillion(row))),
    row.staleAgeMs === null ? '' : quantiles(row.staleAgeMs),
  ];
}

function line(title: string, cells: readonly string[]): string {
  const padded = cells.map((cell, at) => cell.padStart(CELLS[at] ?? 0));
  return `${title.padEnd(TITLE)}${padded.join('')}`.trimEnd();
}

const quantiles = ({ p50, p99 }: { p50: number; p99: number }): string => `${ms(p50)} / ${ms(p99)}`;
const ms = (value: number): string => value.toFixed(value < 9.95 ? 1 : 0);
const grouped = (value: number): string => value.toLocaleString('en');
