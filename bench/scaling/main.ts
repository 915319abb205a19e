/**
 * Simulates what serves 10³, 10⁵ and 10⁷ requests a second, from the costs of single steps. The same seed prints the same
 * text: time is simulated. docs/scaling.md explains the figures.
 */
import { Command } from 'commander';
import { whole } from '@lockstep/testkit/command-line';
import { type Outcome, type Plan, simulate } from './world.ts';

const CLUSTER = { clusters: 1, workers: 1, cacheShards: 1, lockGroups: 1, databaseCores: 2 };
const LARGE = {
  ...{ requestsPerSecond: 10_000_000, clusters: 16, workers: 40 },
  ...{ cacheShards: 10, databaseCores: 16, virtualMs: 60 },
};
const PLANS: readonly Plan[] = [
  { ...CLUSTER, name: '10^3', requestsPerSecond: 1_000, zipf: 0.6, virtualMs: 20_000 },
  {
    ...{ ...CLUSTER, name: '10^5, one process', requestsPerSecond: 100_000 },
    ...{ databaseCores: 4, zipf: 0.6, virtualMs: 500 },
  },
  {
    ...{ ...CLUSTER, name: '10^5', requestsPerSecond: 100_000 },
    ...{ workers: 5, cacheShards: 2, databaseCores: 4, zipf: 0.6, virtualMs: 2_000 },
  },
  { ...LARGE, name: '10^7, one lock group a cluster', lockGroups: 1, zipf: 0.6 },
  { ...LARGE, name: '10^7, three lock groups a cluster', lockGroups: 3, zipf: 0.6 },
  { ...LARGE, name: '10^7, hot keys', lockGroups: 3, zipf: 0.99 },
];

const program = new Command('bench:scaling').option('--seed <n>', 'of the randomness', whole(), 1);
const { seed } = program.parse().opts<{ seed: number }>();

for (const plan of PLANS) process.stdout.write(`${shown(simulate(plan, seed))}\n\n`);

function shown(outcome: Outcome): string {
  const { plan, utilization, hottestKeyPerSecond, finished, arrived } = outcome;
  const { clusters, workers, cacheShards, lockGroups, databaseCores, zipf } = plan;
  const kinds = Object.entries(utilization).map(
    ([kind, { mean, busiest }]) => `${kind} ${percent(mean)} (busiest ${percent(busiest)})`,
  );
  return [
    `${plan.name}: ${clusters} x (${workers} workers, ${cacheShards} cache shards, ${lockGroups} x 3 lock nodes, ${databaseCores} database cores), Zipf ${zipf}`,
    `  busy: ${kinds.join(', ')}`,
    `  read ${times(outcome.readUs)}; strict write ${times(outcome.strictUs)}; other write ${times(outcome.plainUs)}`,
    `  finished ${percent(finished / arrived)} of what arrived; hottest key ${Math.round(hottestKeyPerSecond)} a second`,
  ].join('\n');
}

function times(sortedUs: readonly number[]): string {
  const ms = (share: number): string => {
    const us = sortedUs[Math.floor(share * (sortedUs.length - 1))];
    return us === undefined ? '-' : (us / 1_000).toFixed(2);
  };
  return `p50 ${ms(0.5)} ms, p99 ${ms(0.99)} ms`;
}

function percent(share: number): string {
  return `${Math.round(share * 100)}%`;
}
