/** Run after run on one cluster until the time is up: every run has a seed and keys of its own, and all checks. */
import { Cluster } from '../cluster/cluster.ts';
import { KEYS_OF_A_RUN } from '../load/keys.ts';
import { type Control, isClientControl } from '@lockstep/testkit/controls';
import { SeededRandom } from '@lockstep/testkit/seeded-random';
import { CHECKS, type CheckName, run, type RunReport } from './run.ts';
import { needsClocks, type Scenario, SCENARIOS } from './scenarios.ts';

export interface SoakOptions {
  /** How long it goes on; `runs` ends it sooner. */
  minutes: number;
  /** How many runs it makes at most, each with its healing and its checks. */
  runs?: number;
  seed: number;
  control: Control | null;
  /** Instead of all scenarios in turn, chosen by the seed. */
  scenario?: Scenario;
  operationsPerSecond?: number;
  /** How long one run's load lasts at most. */
  runMs?: number;
  /** Called after each run. */
  onRun?: (report: RunReport, title: string) => void;
}

export interface SoakReport {
  minutes: number;
  seed: number;
  /** Calls that got their answer. */
  operations: number;
  opsPerSecond: number;
  violations: number;
  faults: Record<string, number>;
  /** Runs in which too little happened to prove anything, though they were made longer; no violations. */
  slowRuns: number;
  /** What was found, by check. */
  checks: Record<CheckName, number>;
  control: string | null;
  runs: number;
  /** Writes whose outcome no answer gave. */
  unknown: number;
  /** Keys that the value checker could not decide within its bound. */
  undecided: number;
  histories: string[];
}

const RUN_MS = 45_000;
const LEAST_RUN_MS = 5_000;
const OPERATIONS_PER_SECOND = 900;
const MINUTE_MS = 60_000;

export async function soak(options: SoakOptions): Promise<SoakReport> {
  const { minutes, seed, control } = options;
  const random = new SeededRandom(seed);
  const report = emptyReport(minutes, seed, control);
  const startedAtMs = performance.now();
  const clientControl = control !== null && isClientControl(control) ? control : null;
  const cluster = await Cluster.start({
    ...{ random: random.fork(), clocks: true },
    control: clientControl === null ? control : null,
  });
  const endsAtMs = performance.now() + minutes * MINUTE_MS;
  try {
    for (let firstId = 1; ; firstId += KEYS_OF_A_RUN) {
      const leftMs = endsAtMs - performance.now();
      if (report.runs > 0 && leftMs < LEAST_RUN_MS) break;
      if (report.runs === options.runs) break;
      const scenario = options.scenario ?? pickScenario(cluster, random);
      const one = await run({
        cluster,
        seed: random.below(2 ** 31),
        scenario,
        clientControl,
        firstId,
        ...durations(Math.max(LEAST_RUN_MS, Math.min(options.runMs ?? RUN_MS, leftMs))),
        operationsPerSecond: options.operationsPerSecond ?? OPERATIONS_PER_SECOND,
      });
      addRun(report, one);
      options.onRun?.(one, scenario.title);
    }
  } finally {
    await cluster.stop();
  }
  const tookMs = performance.now() - startedAtMs;
  report.minutes = round(tookMs / MINUTE_MS);
  report.opsPerSecond = round(report.operations / (tookMs / 1000));
  return report;
}

/** A soak that was asked to last so long is not made much longer by a slow machine. */
const durations = (durationMs: number): { durationMs: number; longestMs: number } => ({
  durationMs,
  longestMs: 2 * durationMs,
});

/** Mostly everything at once; else one scenario's weather. */
function pickScenario(cluster: Cluster, random: SeededRandom): Scenario {
  if (random.chance(0.5)) return SCENARIOS.everything;
  const hasClocks = cluster.coordinators.every(({ clock }) => clock !== null);
  const possible = Object.values(SCENARIOS).filter((one) => hasClocks || !needsClocks(one));
  return random.pick<Scenario>(possible);
}

function addRun(report: SoakReport, one: RunReport): void {
  report.runs += 1;
  report.operations += one.operations;
  report.unknown += one.tally.unknown;
  report.undecided += one.undecided;
  report.violations += one.violations.length;
  for (const { check } of one.violations) report.checks[check] += 1;
  if (one.tooLittle !== null) report.slowRuns += 1;
  for (const [kind, count] of Object.entries(one.faults))
    report.faults[kind] = (report.faults[kind] ?? 0) + count;
  if (one.historyPath !== null) report.histories.push(one.historyPath);
}

function emptyReport(minutes: number, seed: number, control: string | null): SoakReport {
  return {
    minutes,
    seed,
    operations: 0,
    opsPerSecond: 0,
    violations: 0,
    slowRuns: 0,
    faults: {},
    checks: Object.fromEntries(CHECKS.map((check) => [check, 0])) as Record<CheckName, number>,
    control,
    runs: 0,
    unknown: 0,
    undecided: 0,
    histories: [],
  };
}

const round = (value: number): number => Math.round(value * 100) / 100;
