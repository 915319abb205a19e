/**
 * Measures another checkout of Lockstep and this one side by side, in one run and in alternating rounds.
 * bench/README.md says how and why.
 */
import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { processesIn } from '@lockstep/testkit/processes/process-folder';
import { Command } from 'commander';
import { positive, someOf } from '@lockstep/testkit/command-line';
import type { Instance } from '@lockstep/testkit/instances/instance';
import { runRound, type RoundResult } from '../round.ts';
import {
  type Figures,
  formatReport,
  type Measured,
  summarize,
  type VersionName,
} from './report.ts';
import { Callers, ROWS, type Row } from './requests.ts';
import { KEY_COUNT, startVersion, type RunningVersion } from './servers.ts';

/** Long enough for the JavaScript engine to compile the row's code. */
const WARM_UP_SECONDS = 5;

interface Options {
  old: string;
  mariadb?: boolean;
  json?: boolean;
  rounds: number;
  seconds: number;
  callers: number;
  only?: readonly Row[];
}

const ROW_NAMES = ROWS.map(({ name }) => name);
const command = new Command('bench:versions')
  .description('Measures another checkout of Lockstep and this one side by side')
  .requiredOption('--old <folder>', 'the other checkout, set up there with: npm run setup')
  .option('--mariadb', 'on MariaDB, or the MySQL of LOCKSTEP_TEST_MYSQLD, instead of PostgreSQL')
  .option('--rounds <n>', 'rounds of each row', positive, 10)
  .option('--seconds <n>', 'length of a round', positive, 2)
  .option('--callers <n>', 'concurrent callers', positive, 64)
  .option('--only <rows>', `some of the rows: ${ROW_NAMES.join(',')}`, rowsNamed)
  .option('--json', 'print the report as JSON in the last line');
command.parse();
await main(command.opts<Options>());

interface Contender {
  running: RunningVersion;
  callers: Callers;
}

async function main(options: Options): Promise<void> {
  console.error('Starting both versions, each with servers of its own…');
  const started: RunningVersion[] = [];
  const open = async (folder?: string): Promise<Contender> => {
    const running = await startVersion(folder, options.mariadb === true);
    started.push(running);
    const { url, serviceToken } = running.instance.runtime;
    return { running, callers: new Callers(url, serviceToken, options.callers) };
  };
  try {
    const contenders = { old: await open(resolve(options.old)), new: await open() };
    const report = summarize(await measure(contenders, options));
    console.log(formatReport(report));
    if (options.json === true) console.log(JSON.stringify(report));
    await Promise.all([contenders.old.callers.close(), contenders.new.callers.close()]);
  } finally {
    for (const running of started) await running.stop();
  }
}

async function measure(
  contenders: Record<VersionName, Contender>,
  { only = ROWS, rounds, seconds, callers }: Options,
): Promise<Measured[]> {
  const measured: Measured[] = [];
  for (const row of only) {
    for (const name of ['old', 'new'] as const)
      await run(contenders[name], row, WARM_UP_SECONDS, callers);
    for (let round = 0; round < rounds; round++) {
      // Each version goes first in every other round, so that what a round leaves behind affects both.
      const order = round % 2 === 0 ? (['old', 'new'] as const) : (['new', 'old'] as const);
      for (const version of order) {
        const result = await run(contenders[version], row, seconds, callers);
        measured.push({ row: row.name, round, version, ...result });
        console.error(
          `${row.name} ${version} ${result.opsPerSecond.toFixed(0)}/s ${result.cpuUs.toFixed(0)} us, servers ${result.serversCpuUs.toFixed(0)} us`,
        );
      }
    }
  }
  return measured;
}

/** @throws Error with the first failure, because the speed of failing calls means nothing */
async function run(
  { running, callers }: Contender,
  row: Row,
  seconds: number,
  callerCount: number,
): Promise<Figures> {
  const before = cpuOf(running.instance);
  let calls = 0;
  const result: RoundResult = await runRound(
    (caller, key, value) => {
      calls++;
      return callers.send(row, caller, key, value);
    },
    { callers: callerCount, durationMs: seconds * 1000, keys: row.isHot ? 1 : KEY_COUNT },
  );
  if (result.firstError !== null) throw new Error(`${row.name}: ${result.firstError}`);
  const after = cpuOf(running.instance);
  return {
    opsPerSecond: result.opsPerSecond,
    p99Ms: result.p99Ms,
    cpuUs: ((after.coordinator - before.coordinator) * 1e6) / calls,
    serversCpuUs: ((after.servers - before.servers) * 1e6) / calls,
  };
}

/** The CPU time of the coordinator, and of the embedded servers that it has started, in seconds. */
function cpuOf({ folder, pid }: Instance): { coordinator: number; servers: number } {
  const servers = processesIn(folder).filter((process) => process.pid !== pid);
  return {
    coordinator: cpuSeconds(pid),
    servers: servers.reduce((sum, process) => sum + cpuSeconds(process.pid), 0),
  };
}

/** The CPU time of all threads of a process, user and system, in seconds. Linux counts it in ticks of 10 ms. */
function cpuSeconds(pid: number): number {
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1]?.split(' ') ?? [];
  return (Number(fields[11]) + Number(fields[12])) / 100;
}

function rowsNamed(text: string): Row[] {
  const names = someOf(ROW_NAMES)(text);
  return ROWS.filter(({ name }) => names.includes(name));
}
