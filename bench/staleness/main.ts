/**
 * Counts the stale reads of Lockstep and of the same work written by hand, without faults and with them, under one
 * load on the same embedded servers. bench/README.md says how and why.
 */
import { Command } from 'commander';
import { someOf, whole } from '@lockstep/testkit/command-line';
import { type Instance, startInstance } from '@lockstep/testkit/instances/instance';
import { CONTENDER_NAMES, type ContenderName } from './contender.ts';
import { findFailures, formatProgress, formatReport, type Row, summarize } from './report.ts';
import { type Place, run } from './run.ts';
import { RESULTS_PATH, save, versionsOf } from './save.ts';
import { makeDatabase } from './tables.ts';

interface Options {
  quick?: boolean;
  json?: boolean;
  save?: boolean;
  note: string;
  /** True: only with faults; false: only without; absent: both. */
  faults?: boolean;
  requests?: number;
  callers: number;
  seed: number;
  only?: ContenderName[];
}

const FULL = { requests: 1_500_000, settleMs: 10_000 };
const QUICK = { requests: 30_000, settleMs: 4_000 };

/** The instance only provides its embedded servers. Its one resource is never used. */
const HOST_SQL = 'CREATE TABLE unused (id bigint PRIMARY KEY);';
const HOST_CONFIG = {
  database: { mode: 'embedded', initSql: './host.sql' },
  cache: { mode: 'embedded' },
  locks: { mode: 'embedded' },
  resources: { unused: { table: 'unused', key: ['id'], policy: 'none' } },
};

const program = new Command('bench:staleness')
  .description('Counts stale reads beside the same work written by hand')
  .option('--requests <n>', 'requests of each row', whole(1))
  .option('--quick', `${QUICK.requests} requests a row, in about ten minutes`)
  .option('--json', 'print the report as JSON in the last line')
  .option('--save', `keep the figures in ${RESULTS_PATH}, for the lab and its page`)
  .option('--note <text>', 'a note for a saved run, such as what else the machine did', '')
  .option('--faults', 'only with faults')
  .option('--no-faults', 'only without faults')
  .option('--callers <n>', 'concurrent callers', whole(1), 64)
  .option('--seed <n>', 'the seed of the load and the faults', whole(1), 1)
  .option('--only <names>', `some of ${CONTENDER_NAMES.join(',')}`, someOf(CONTENDER_NAMES));
program.parse();
const command = ['npm run bench:staleness --', ...process.argv.slice(2)].join(' ');
await main(program.opts<Options>());

async function main(options: Options): Promise<void> {
  const say = (line: string): void => console.error(line);
  say('Starting embedded servers…');
  const host = await startInstance({ config: HOST_CONFIG, files: { 'host.sql': HOST_SQL } });
  try {
    const plan = { ...(options.quick === true ? QUICK : FULL), ...requestsOf(options) };
    const date = new Date();
    const place = await placeOf(host);
    const servers = await versionsOf(place.servers);
    const rows = await runAll(place, { ...options, ...plan }, say);
    const report = { requests: plan.requests, seed: options.seed, rows };
    console.log(formatReport(report));
    const failures = findFailures(rows);
    for (const failure of failures) say(failure);
    if (failures.length > 0) process.exitCode = 1;
    const { note } = options;
    if (options.save === true)
      say(`saved: ${save(report, { date, command, note, servers, failures })}`);
    if (options.json === true) console.log(JSON.stringify(report));
  } finally {
    await host.dispose();
  }
}

async function runAll(
  place: Place,
  options: Options & { requests: number; settleMs: number },
  say: (line: string) => void,
): Promise<Row[]> {
  const names = CONTENDER_NAMES.filter((name) => options.only?.includes(name) ?? true);
  const rows: Row[] = [];
  for (const withFaults of options.faults === undefined ? [false, true] : [options.faults]) {
    for (const contender of names) {
      const row = summarize(await run(place, { ...options, contender, withFaults, progress: say }));
      say(formatProgress(row));
      rows.push(row);
    }
  }
  return rows;
}

/** A separate database, in which the instance that provides the servers does not work. */
async function placeOf(host: Instance): Promise<Place> {
  const { databaseUrl, cacheUrl, lockUrls } = host.runtime;
  const servers = { databaseUrl: await makeDatabase(databaseUrl, 'staleness'), cacheUrl, lockUrls };
  return { servers, folder: host.folder };
}

function requestsOf({ requests }: Options): { requests?: number } {
  return requests === undefined ? {} : { requests };
}
