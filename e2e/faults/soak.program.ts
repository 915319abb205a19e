/** `npm run soak`: random faults for as long as asked, every check; exit 1 where anything was wrong, 3 where too little happened. */
import { parseArgs } from 'node:util';
import { CONTROL_SUITS } from './scenario/control-suits.ts';
import { describeRun } from './scenario/run.ts';
import { soak } from './scenario/soak.ts';

const HELP = `npm run soak -- [--minutes N] [--seed S] [--control NAME] [--json]

  --minutes N      how long, 1 unless said; fractions are fine
  --seed S         decides every fault; random unless said
  --control NAME   with one protection broken: ${Object.keys(CONTROL_SUITS).join(', ')}
  --json           print nothing but the report, one line of JSON, and what was wrong on stderr
Exit code 1 where a check failed (with a control, too), 2 for a wrong option, 3 where no check failed, but too little
happened in most runs to prove anything: the machine was too slow.
`;

const { values } = parseArgs({
  options: {
    minutes: { type: 'string', default: '1' },
    seed: { type: 'string' },
    control: { type: 'string' },
    json: { type: 'boolean', default: false },
    help: { type: 'boolean', default: false },
  },
});
const exitCode = await main();
// Whatever a killed coordinator left open must not keep a program that has ended.
process.stdout.write('', () => process.exit(exitCode));

async function main(): Promise<number> {
  const minutes = Number(values.minutes);
  const seed = Number(values.seed ?? Math.floor(Math.random() * 2 ** 31));
  const control = values.control ?? null;
  const isWrong =
    !(minutes > 0) ||
    !Number.isSafeInteger(seed) ||
    (control !== null && !(control in CONTROL_SUITS));
  if (values.help || isWrong) {
    process.stderr.write(HELP);
    return values.help ? 0 : 2;
  }
  const suit = control === null ? undefined : CONTROL_SUITS[control];
  const report = await soak({
    minutes,
    seed,
    control,
    ...(suit === undefined ? {} : { scenario: suit }),
    onRun: (run, title) => {
      const text = `${title}\n${describeRun(run)}\n\n`;
      if (!values.json) process.stdout.write(text);
      else if (run.violations.length > 0 || run.tooLittle !== null) process.stderr.write(text);
    },
  });
  process.stdout.write(`${JSON.stringify(report)}\n`);
  if (report.violations > 0) return 1;
  return report.slowRuns < report.runs / 2 ? 0 : 3;
}
