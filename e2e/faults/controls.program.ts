/** `npm run controls`: shows of each broken protection how often a short run notices it. */
import { parseArgs } from 'node:util';
import { CONTROL_SUITS } from './scenario/control-suits.ts';
import type { CheckName } from './scenario/run.ts';
import { soak } from './scenario/soak.ts';

const HELP = `npm run controls -- [--runs N] [--seconds N] [--only NAME,NAME] [--seed S]

  --runs N      how many runs of each control, 3 unless said
  --seconds N   how long each lasts, 12 unless said
  --only NAMES  only these, with commas between them: ${Object.keys(CONTROL_SUITS).join(', ')}
  --seed S      decides every fault, 1 unless said

Exit code 1 where a control was never caught.
`;

const { values } = parseArgs({
  options: {
    help: { type: 'boolean', short: 'h', default: false },
    runs: { type: 'string', default: '3' },
    seconds: { type: 'string', default: '12' },
    only: { type: 'string' },
    seed: { type: 'string', default: '1' },
  },
});

if (values.help) {
  process.stdout.write(HELP);
  process.exit(0);
}

/** What says that a run itself was not as it should be, rather than the engine. */
const NOT_A_CATCH: readonly CheckName[] = ['answers', 'progress'];

const runs = Number(values.runs);
const seconds = Number(values.seconds);
const firstSeed = Number(values.seed);
const names = Object.keys(CONTROL_SUITS).filter(
  (name) => values.only === undefined || values.only.split(',').includes(name),
);
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

async function measure(name: string): Promise<number> {
  const by = new Set<string>();
  const scenario = CONTROL_SUITS[name];
  let caught = 0;
  let operations = 0;
  let tookMs = 0;
  if (scenario === undefined) return 0;
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
