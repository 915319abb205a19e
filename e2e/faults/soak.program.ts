/** `npm run soak`: random faults for as long as asked, every check; exit 1 where anything was wrong, 3 where too little happened. */
import { oneOf, positive, programNamed, whole } from '@lockstep/testkit/command-line';
import { CONTROL_SUITS, LIVE_CONTROLS, type LiveControl } from './scenario/control-suits.ts';
import { describeRun } from './scenario/run.ts';
import { soak } from './scenario/soak.ts';

interface Options {
  minutes: number;
  seed?: number;
  control?: LiveControl;
  json?: boolean;
}

const program = programNamed('npm run soak')
  .description('Runs a cluster under random faults, and checks all that its callers saw.')
  .option('--minutes <n>', 'how long; fractions are fine', positive, 1)
  .option('--seed <n>', 'decides every fault (default: random)', whole())
  .option(
    '--control <name>',
    `with one protection broken: ${LIVE_CONTROLS.join(', ')}`,
    oneOf(LIVE_CONTROLS),
  )
  .option('--json', 'print only the report, one line of JSON, and what was wrong on stderr')
  .addHelpText(
    'after',
    `
Exit codes: 0 all was right, 1 a check failed (with a control, too), 2 a wrong option, 3 no check failed, but too little
happened in most runs to prove anything: the machine was too slow`,
  )
  .parse();
const exitCode = await main(program.opts<Options>());
// Whatever a killed coordinator left open must not keep a program that has ended.
process.stdout.write('', () => process.exit(exitCode));

async function main({
  minutes,
  seed = Math.floor(Math.random() * 2 ** 31),
  control = null,
  json = false,
}: Omit<Options, 'control'> & { control?: LiveControl | null }): Promise<number> {
  const suit = control === null ? undefined : CONTROL_SUITS[control];
  const report = await soak({
    minutes,
    seed,
    control,
    ...(suit === undefined ? {} : { scenario: suit }),
    onRun: (run, title) => {
      const text = `${title}\n${describeRun(run)}\n\n`;
      if (!json) process.stdout.write(text);
      else if (run.violations.length > 0 || run.tooLittle !== null) process.stderr.write(text);
    },
  });
  process.stdout.write(`${JSON.stringify(report)}\n`);
  if (report.violations > 0) return 1;
  return report.slowRuns < report.runs / 2 ? 0 : 3;
}
