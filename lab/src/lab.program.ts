/** `npm run lab`: the table of strategies; with `--strategy NAME`, its shortest traces as sequence diagrams. */
import { parseArgs } from 'node:util';
import saved from '../../bench/results/staleness.json' with { type: 'json' };
import { exploreStrategy, LabError, type Report, tracesOf } from './explore-strategy.ts';
import { measuredOf, type Measurements } from './measurements.ts';
import type { Property } from './model/process.ts';
import type { Bounds, Strategy } from './model/strategy.ts';
import { sequenceDiagram } from './print/sequence-diagram.ts';
import { forJson } from './print/json.ts';
import { wrapped } from './print/lines.ts';
import { measuredTables } from './print/measured-table.ts';
import { heading, rowOf } from './print/table.ts';
import { STRATEGIES } from './strategies/index.ts';
import { VARIANTS } from './strategies/variants.ts';

const USAGE = `Usage: npm run lab -- [options]

Explores every interleaving of each caching strategy within bounds, and says what can go wrong with it.

  --strategy NAME    this strategy alone, with its shortest traces as sequence diagrams
  --writers N        writers of one write each (default: 2)
  --readers N        readers of one read each (default: 1 to 3, as the strategy states)
  --faults N         how often each kind of fault may happen (default: 1)
  --recoveries N     recoveries of abandoned intents, for strict (default: 1)
  --max-states N     give up after so many states (default: 5000000)
  --json             print one JSON object, in the last line
  --help             print this

Exit codes: 0 explored, 2 the arguments are wrong`;

const QUESTIONS: Record<Property, string> = {
  staleForGood: 'A reader can be left with an old value for good',
  staleForAWhile: 'A reader can get an old value for a while',
  lostWrite: 'An acknowledged write can be lost',
  neverWas: 'A reader can be shown what never was',
};

const LEGEND = `for good   nothing more will happen, and the cache holds what the database does not
a while    a read answers less than was acknowledged or read before its call
lost       an acknowledged write is overwritten by one that had not seen it
never was  a reader was shown a value that was never committed
(n)        steps of the shortest trace: npm run lab -- --strategy NAME draws it`;

/** The measurements at the time of the build. */
const MEASUREMENTS: Measurements = saved;

// The reader of the pipe may stop early: `| head`.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code !== 'EPIPE') throw error;
  process.exit();
});
process.exitCode = main(process.argv.slice(2));

function main(args: string[]): number {
  try {
    const { values } = readArguments(args);
    if (values.help === true) print(USAGE);
    else if (values.strategy === undefined) printAll(boundsOf(values), values.json === true);
    else printOne(exploreStrategy(values.strategy, boundsOf(values)), values.json === true);
    return 0;
  } catch (error) {
    if (!(error instanceof LabError)) throw error;
    process.stderr.write(`lab: ${error.message} (--help tells more)\n`);
    return 2;
  }
}

function readArguments(args: string[]) {
  const number = { type: 'string' } as const;
  try {
    return parseArgs({
      args,
      options: {
        strategy: { type: 'string' },
        writers: number,
        readers: number,
        faults: number,
        recoveries: number,
        'max-states': number,
        json: { type: 'boolean' },
        help: { type: 'boolean' },
      },
    });
  } catch (error) {
    throw new LabError(error instanceof Error ? error.message : 'wrong arguments');
  }
}

function boundsOf(values: ReturnType<typeof readArguments>['values']): Partial<Bounds> {
  const bounds: Partial<Bounds> = {};
  if (values.writers !== undefined) bounds.writers = Number(values.writers);
  if (values.readers !== undefined) bounds.readers = Number(values.readers);
  if (values.faults !== undefined) bounds.faults = Number(values.faults);
  if (values.recoveries !== undefined) bounds.recoveries = Number(values.recoveries);
  if (values['max-states'] !== undefined) bounds.maxStates = Number(values['max-states']);
  return bounds;
}

function printAll(bounds: Partial<Bounds>, asJson: boolean): void {
  const startedMs = performance.now();
  const tell = asJson ? () => undefined : print;
  const strategies = exploreAll(STRATEGIES, bounds, tell);
  tell('\nWhat each part of strict and delete-after-write is there for\n');
  const variants = exploreAll(VARIANTS, bounds, tell);
  const tookMs = Math.round(performance.now() - startedMs);
  const states = [...strategies, ...variants].reduce((sum, report) => sum + report.states, 0);
  tell(`\n${LEGEND}\n\n${states.toLocaleString('en')} states in ${(tookMs / 1000).toFixed(1)} s`);
  tell(`\n${measuredTables(MEASUREMENTS, STRATEGIES)}`);
  if (!asJson) return;
  const [main, others] = [strategies.map(withMeasured), variants.map(forJson)];
  print(JSON.stringify({ strategies: main, variants: others, states, tookMs }));
}

function withMeasured(report: Report) {
  return { ...forJson(report), measured: measuredOf(MEASUREMENTS, report.name) };
}

/** Reports each result as soon as it is known, because all of them take a while. */
function exploreAll(
  strategies: readonly Strategy[],
  bounds: Partial<Bounds>,
  tell: (text: string) => void,
): Report[] {
  return strategies.map(({ name }, index) => {
    const report = exploreStrategy(name, bounds);
    tell(index === 0 ? `${heading()}\n${rowOf(report)}` : rowOf(report));
    return report;
  });
}

function printOne(report: Report, asJson: boolean): void {
  if (asJson) {
    print(JSON.stringify({ strategies: [withMeasured(report)] }));
    return;
  }
  print(`${report.title}\n${report.description}\n\n${heading()}\n${rowOf(report)}`);
  for (const trace of tracesOf(report)) {
    const faults = [...new Set(trace.faults)].join(' and ');
    const where = faults === '' ? 'without any fault' : `where ${faults}`;
    const title = `${QUESTIONS[trace.property]}, ${where}, in ${trace.steps.length} steps:`;
    print(['\n', ...wrapped(title, 100), '', sequenceDiagram(trace)].join('\n'));
  }
}

function print(text: string): void {
  process.stdout.write(`${text}\n`);
}
