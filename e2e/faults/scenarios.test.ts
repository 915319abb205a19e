import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { build } from '../../scripts/build.mjs';
import { Cluster } from './cluster/cluster.ts';
import { findFakeTime } from './cluster/wall-clock.ts';
import { KEYS_OF_A_RUN } from './load/keys.ts';
import { describeRun, run } from './scenario/run.ts';
import { needsClocks, type Scenario, SCENARIOS } from './scenario/scenarios.ts';
import { SeededRandom } from '@lockstep/testkit/seeded-random';

/** Another seed gives other faults at other moments; the one of a failure stands in its report. */
const SEED = Number(process.env['LOCKSTEP_SEED'] ?? 20_26);
const DURATION_MS = 10_000;
/** Against hanging only: a run that has met too little goes on for up to a minute, and healing takes its time. */
const TEST_TIMEOUT_MS = 360_000;

const hasClocks = findFakeTime() !== null;
if (!hasClocks) {
  process.stderr.write(
    '\nSKIPPED: libfaketime is not installed; no clock jumps (npm test installs it where it can)\n\n',
  );
}

const random = new SeededRandom(SEED);
let cluster: Cluster;
let firstId = 1;

beforeAll(async () => {
  await build({ also: ['client'] });
  cluster = await Cluster.start({ random: random.fork(), control: null, clocks: hasClocks });
});

afterAll(() => cluster.stop());

async function expectNothingWrong(scenario: Scenario, seed: number): Promise<void> {
  const report = await run({ cluster, seed, scenario, firstId, durationMs: DURATION_MS });
  firstId += KEYS_OF_A_RUN;
  expect(report.violations, describeRun(report)).toEqual([]);
  expect(report.tooLittle, describeRun(report)).toBeNull();
  const { operations, durationMs, faults } = report;
  const seconds = (durationMs / 1_000).toFixed(0);
  process.stdout.write(`  ${operations} operations in ${seconds} s; ${JSON.stringify(faults)}\n`);
}

describe('with callers at three coordinators, at the cache and behind the client', () => {
  for (const scenario of Object.values<Scenario>(SCENARIOS)) {
    const seed = random.below(2 ** 31);
    test.skipIf(needsClocks(scenario) && !hasClocks)(
      scenario.title,
      () => expectNothingWrong(scenario, seed),
      TEST_TIMEOUT_MS,
    );
  }
});
