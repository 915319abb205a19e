import { median } from '../statistics.ts';
import { alignColumns } from '../text-table.ts';

export type VersionName = 'old' | 'new';

/** The results of one round of one version. CPU times are in microseconds for each call. */
export interface Figures {
  opsPerSecond: number;
  p99Ms: number;
  /** CPU time of the coordinator. */
  cpuUs: number;
  /** CPU time of the database, the cache and the lock nodes, if the instance has started them. */
  serversCpuUs: number;
}

export interface Measured extends Figures {
  row: string;
  round: number;
  version: VersionName;
}

interface Summary {
  row: string;
  /** Medians of the rounds. */
  old: Figures;
  new: Figures;
  /** New over old: the median of the rounds' ratios, because rounds that ran side by side had the same conditions. */
  speedRatio: number;
  /** Old over new, so that above 1 is better here too. CPU time depends less on other work of the machine. */
  cpuRatio: number;
}

export function summarize(measured: readonly Measured[]): Summary[] {
  return [...new Set(measured.map(({ row }) => row))].map((row) => {
    const roundsOf = (version: VersionName): Measured[] =>
      measured
        .filter((one) => one.row === row && one.version === version)
        .sort((a, b) => a.round - b.round);
    const [older, newer] = [roundsOf('old'), roundsOf('new')];
    return {
      row,
      old: medians(older),
      new: medians(newer),
      speedRatio: ratio(newer, older, (one) => one.opsPerSecond),
      cpuRatio: ratio(older, newer, (one) => one.cpuUs),
    };
  });
}

function medians(rounds: readonly Figures[]): Figures {
  const of = (field: keyof Figures): number => median(rounds.map((round) => round[field]));
  return {
    opsPerSecond: of('opsPerSecond'),
    p99Ms: of('p99Ms'),
    cpuUs: of('cpuUs'),
    serversCpuUs: of('serversCpuUs'),
  };
}

function ratio(
  top: readonly Figures[],
  bottom: readonly Figures[],
  figure: (round: Figures) => number,
): number {
  return median(
    top.map((round, index) => {
      const beside = bottom[index];
      return beside === undefined ? Number.NaN : figure(round) / figure(beside);
    }),
  );
}

export function formatReport(report: readonly Summary[]): string {
  const header = ['row', 'old /s', 'new /s', 'new/old', 'CPU us', '', 'old/new', 'servers us', ''];
  const lines = report.map(({ row, old, new: now, speedRatio, cpuRatio }) => [
    row,
    old.opsPerSecond.toFixed(0),
    now.opsPerSecond.toFixed(0),
    speedRatio.toFixed(3),
    old.cpuUs.toFixed(0),
    now.cpuUs.toFixed(0),
    cpuRatio.toFixed(3),
    old.serversCpuUs.toFixed(0),
    now.serversCpuUs.toFixed(0),
  ]);
  return alignColumns([header, ...lines]);
}
