/**
 * One run: load for a while under a schedule of faults, fair weather, all checks.
 *
 * States: loading (callers and faults) -> healing (everything is brought back) -> checked. The load goes on until enough
 * has happened, so that a slow machine makes a run longer and does not fail it.
 */
import { mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { checkChanges, type KeyRange } from '../checks/ground-truth.ts';
import { judgeHistory } from '../checks/history.ts';
import { checkInserts } from '../checks/inserts.ts';
import { LockOwners } from '../checks/lock-owners.ts';
import { checkProgress } from '../checks/progress.ts';
import type { Cluster } from '../cluster/cluster.ts';
import { RESOURCE_NAMES } from '../cluster/tables.ts';
import { Load } from '../load/callers.ts';
import { CacheReader, Endpoint } from '../load/endpoint.ts';
import { KEYS_OF_A_RUN } from '../load/keys.ts';
import { Ledger, type Tally } from '../load/ledger.ts';
import { type Mix, USUAL_MIX } from '../load/mix.ts';
import { OwnTransactions } from '../load/own-transactions.ts';
import { Service } from '../load/service.ts';
import type { ClientControl } from '@lockstep/testkit/controls';
import { SeededRandom } from '@lockstep/testkit/seeded-random';
import { applyFault } from '../weather/apply.ts';
import { faultLine, type PlannedFault, targetName } from '../weather/fault.ts';
import { planFaults } from '../weather/plan.ts';
import type { Scenario } from './scenarios.ts';

export interface RunOptions {
  cluster: Cluster;
  seed: number;
  /** How long load and faults last at least; healing and checks come on top. */
  durationMs: number;
  /** How long they last at most, where not enough has happened. Default: `LONGEST` times as long. */
  longestMs?: number;
  scenario: Scenario;
  /** No two runs on one cluster have the same. */
  firstId: number;
  callers?: number;
  operationsPerSecond?: number;
  /** The protection of the client that is broken; absent or null: none. */
  clientControl?: ClientControl | null;
}

export const CHECKS = [
  'versions',
  'values',
  'computed',
  'ground-truth',
  'progress',
  'locks',
  'answers',
] as const;
export type CheckName = (typeof CHECKS)[number];

export interface Violation {
  check: CheckName;
  text: string;
}

export interface RunReport {
  seed: number;
  durationMs: number;
  /** Calls that got their answer under load, whether the row's state let them be or not. */
  operations: number;
  /** All calls. */
  calls: number;
  operationsPerSecond: number;
  tally: Tally;
  codes: Record<string, number>;
  faults: Partial<Record<PlannedFault['kind'], number>>;
  schedule: string[];
  violations: Violation[];
  /** What did not happen often enough to prove anything, though the run was made longer; null where all did. */
  tooLittle: string | null;
  /** Keys that the value checker could not decide within its bound. */
  undecided: number;
  /** Where the history was kept; null where nothing was wrong. */
  historyPath: string | null;
}

/** What a run must have met to prove something: so many answered calls for each second that was asked for, and faults. */
const ENOUGH = { operationsPerSecondAsked: 100, faults: 3 };
/** How many times as long as asked a run lasts at most. */
const LONGEST = 6;
const CALLERS = 36;
const OPERATIONS_PER_SECOND = 600;
const HOT_SHARE = 0.65;
const HOT_KEYS = 4;

export async function run(options: RunOptions): Promise<RunReport> {
  const { cluster, seed, durationMs, scenario, firstId } = options;
  const random = new SeededRandom(seed);
  const weather = random.fork();
  const ledger = new Ledger(`r${firstId}`);
  const load = await composeLoad(options, ledger, random.fork());
  const owners = scenario.watchLocks === true ? await LockOwners.watch(cluster) : null;
  const startedAtMs = performance.now();
  load.start();
  const sinceStartMs = (): number => performance.now() - startedAtMs;
  const plan: PlannedFault[] = [];
  const failures: string[] = [];
  const tooLittle = (): string | null => lackOf(ledger, plan.length - failures.length, durationMs);
  const longestMs = options.longestMs ?? LONGEST * durationMs;
  do {
    const fromMs = sinceStartMs();
    const stretch = planFaults(scenario.weather, durationMs, weather);
    plan.push(...stretch.map((fault) => ({ ...fault, atMs: fault.atMs + fromMs })));
    failures.push(...(await playFaults(cluster, stretch)));
    await sleep(Math.max(0, fromMs + durationMs - sinceStartMs()));
  } while (tooLittle() !== null && sinceStartMs() < longestMs);
  const loadedMs = sinceStartMs();
  const lack = tooLittle();
  const operations = ledger.answered;
  let healedAtMs: number;
  try {
    await cluster.heal();
    healedAtMs = performance.now();
  } finally {
    // A load that goes on after a run that could not be healed would spoil every run after it.
    await load.stop();
    owners?.stop();
  }

  const range: KeyRange = { firstId, endId: firstId + KEYS_OF_A_RUN };
  const violations: Violation[] = [];
  const note = (check: CheckName, texts: readonly string[]): void =>
    void violations.push(...texts.map((text) => ({ check, text })));
  const { stuck, unfinished } = await checkProgress(cluster, range, healedAtMs);
  note('progress', stuck);
  note('ground-truth', unfinished);
  note('ground-truth', await checkChanges(cluster.behind, ledger, range));
  note('ground-truth', await checkInserts(cluster.behind, ledger.inserts.all));
  note('computed', ledger.cards.faults);
  note('answers', [...ledger.defects, ...crashesOf(cluster), ...failures]);
  note('locks', owners?.found ?? []);
  const judged = judgeHistory(ledger.lines);
  note('versions', judged.versions);
  note('values', judged.values);
  const { ok, fail, unknown } = ledger.tally;
  return {
    seed,
    durationMs: loadedMs,
    operations,
    calls: ok + fail + unknown,
    operationsPerSecond: operations / (loadedMs / 1000),
    tally: ledger.tally,
    codes: Object.fromEntries(ledger.codes),
    faults: countKinds(plan),
    schedule: plan.map(faultLine),
    violations,
    tooLittle: lack,
    undecided: judged.undecided,
    historyPath: violations.length === 0 ? null : keepHistory(seed, ledger.lines),
  };
}

/** What a failed run prints: everything that it takes to look into it. */
export function describeRun(report: RunReport): string {
  const { seed, violations, schedule, historyPath, tally, codes, operationsPerSecond } = report;
  return [
    `seed ${seed}: ${violations.length} violations`,
    ...(report.tooLittle === null ? [] : [`  too little to prove anything: ${report.tooLittle}`]),
    ...violations.slice(0, 30).map(({ check, text }) => `  [${check}] ${text}`),
    `${tally.ok} ok, ${tally.fail} failed, ${tally.unknown} unknown; ${operationsPerSecond.toFixed(0)} a second; ${JSON.stringify(codes)}`,
    'schedule:',
    ...schedule.map((line) => `  ${line}`),
    ...(historyPath === null ? [] : [`history: ${historyPath}`]),
  ].join('\n');
}

async function composeLoad(
  options: RunOptions,
  ledger: Ledger,
  random: SeededRandom,
): Promise<Load> {
  const { cluster, scenario, firstId, callers, operationsPerSecond } = options;
  const mix: Mix = { ...USUAL_MIX, ...scenario.mix };
  return new Load({
    ledger,
    endpoints: cluster.coordinators.map(
      ({ name, url }) => new Endpoint(name, url, (defect) => ledger.defects.push(defect)),
    ),
    cache: new CacheReader(cluster.server('cache').url),
    services: await Promise.all(
      cluster.coordinators.map(({ url }, index) =>
        Service.open({
          ...{ name: `service ${index + 1}`, url, control: options.clientControl ?? null },
          cacheUrl: cluster.server('cache').url,
          database: cluster.behind,
          onDefect: (defect) => ledger.defects.push(defect),
        }),
      ),
    ),
    transactions: new OwnTransactions(cluster.server('database').url, cluster.behind),
    random,
    firstId,
    callers: callers ?? CALLERS,
    operationsPerSecond: operationsPerSecond ?? OPERATIONS_PER_SECOND,
    mix,
    hotShare: scenario.hotShare ?? HOT_SHARE,
    hotKeys: scenario.hotKeys ?? HOT_KEYS,
    resources: scenario.resources ?? RESOURCE_NAMES,
  });
}

/**
 * Plays the schedule. A target that has not come back from one fault (a server takes its time to start) meets the next
 * one when it has. Answers a line for each fault that could not be made or ended.
 */
async function playFaults(cluster: Cluster, plan: readonly PlannedFault[]): Promise<string[]> {
  const failures: string[] = [];
  const busy = new Map<string, Promise<void>>();
  for (const fault of plan) {
    const name = targetName(fault.target);
    const before = busy.get(name) ?? Promise.resolve();
    const played = Promise.all([before, sleep(fault.atMs)])
      .then(() => applyFault(cluster, fault))
      .catch((error: unknown) => void failures.push(`${fault.kind} failed: ${String(error)}`));
    busy.set(name, played);
  }
  await Promise.all(busy.values());
  return failures;
}

/** What has not happened often enough yet; null where all has. */
function lackOf({ answered }: Ledger, faults: number, askedMs: number): string | null {
  const leastOperations = (ENOUGH.operationsPerSecondAsked * askedMs) / 1_000;
  if (answered < leastOperations) return `${answered} of ${leastOperations} operations`;
  return faults < ENOUGH.faults ? `${faults} of ${ENOUGH.faults} faults` : null;
}

const crashesOf = (cluster: Cluster): string[] =>
  cluster.coordinators.flatMap(({ crashes }) => crashes.splice(0));

function countKinds(plan: readonly PlannedFault[]): RunReport['faults'] {
  const counts: RunReport['faults'] = {};
  for (const { kind } of plan) counts[kind] = (counts[kind] ?? 0) + 1;
  return counts;
}

function keepHistory(seed: number, lines: readonly string[]): string {
  const path = join(mkdtempSync(join(tmpdir(), 'lockstep-history-')), `seed-${seed}.jsonl`);
  writeFileSync(path, `${lines.join('\n')}\n`);
  return path;
}
