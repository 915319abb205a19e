/** `npm run controls`: shows of each broken protection how often a short run notices it. */
import { positive, programNamed, someOf, whole } from '@lockstep/testkit/command-line';
import { CONTROL_SUITS, LIVE_CONTROLS, type LiveControl } from './scenario/control-suits.ts';
import type { CheckName } from './scenario/run.ts';
import { soak } from './scenario/soak.ts';

interface Options {
  runs: number;
  seconds: number;
  only?: LiveControl[];
  seed: number;
}

/** What says that a run itself was not as it should be, rather than the engine. */
const NOT_A_CATCH: readonly CheckName[] = ['answers', 'progress'];

const program = programNamed('npm run controls')
  .description(
    'Runs Lockstep with one protection broken after the other, and counts what notices it.',
  )
  .option('--runs <n>', 'runs of each control', whole(1), 3)
  .option('--seconds <n>', 'length of a run', positive, 12)
  .option('--only <names>', `some of ${LIVE_CONTROLS.join(',')}`, someOf(LIVE_CONTROLS))
  .option('--seed <n>', 'the seed of the first run', whole(), 1)
  .addHelpText('after', '\nExit codes: 0 each control was caught, 1 one was not, 2 a wrong option')
  .parse();
const { runs, seconds, only: names = LIVE_CONTROLS, seed: firstSeed } = program.opts<Options>();
const missed: string[] = [];
process.stdout.write(
  '| control | caught | by | operations a second |\n| --- | --- | --- | --- |\n',
);
for (const name of names) {
  const caught = await measure(name);
  if (caught === 0) missed.push(name);
}
// Whatever a broken coordinator left open must not keep a program that has ended.
process.stdout.write('', () => process.exit(missed.length === 0 && names.length > 0 ? 0 : 1));

async function measure(name: LiveControl): Promise<number> {
  const by = new Set<string>();
  const scenario = CONTROL_SUITS[name];
  let caught = 0;
  let operations = 0;
  let tookMs = 0;
  // One cluster for all its runs, one key space for each.
  await soak({
    minutes: Infinity,
    runs,
    seed: firstSeed,
    control: name,
    scenario,
    runMs: seconds * 1000,
    onRun: (run) => {
      const catching = run.violations.filter(({ check }) => !NOT_A_CATCH.includes(check));
      if (catching.length > 0) caught += 1;
      for (const { check } of catching) by.add(check);
      operations += run.operations;
      tookMs += run.durationMs;
    },
  });
  const rate = Math.round(operations / (tookMs / 1000));
  process.stdout.write(
    `| \`${name}\` | ${caught} of ${runs} | ${[...by].join(', ')} | ${rate} |\n`,
  );
  return caught;
}
