/** Judges a reader of entries by the rules of docs/read-protocol.md. README.md says how. */
import { fileURLToPath } from 'node:url';
import { Command } from 'commander';
import { someOf } from '@lockstep/testkit/command-line';
import { type Rule, RULE_NAMES } from './findings.ts';
import { isConforming, judgeReader } from './kit.ts';
import { formatJudgements } from './report.ts';
import { programCommand } from './program-command.ts';
import { FAULT_NAMES, FAULTS } from './readers/faults.ts';
import { Servers } from './servers.ts';

interface Options {
  url?: string;
  redis?: string;
  token?: string;
  reader?: string;
  rules?: readonly Rule[];
  controls?: boolean;
  json?: boolean;
}

const FAULTY = fileURLToPath(new URL('./readers/faulty.program.ts', import.meta.url));
const OWN_CLIENT = fileURLToPath(new URL('./readers/client.program.ts', import.meta.url));

const program = new Command('conformance')
  .description('Judges a program that reads entries by the rules of docs/read-protocol.md')
  .option('--reader <command>', 'command line that starts the reader; default: @lockstep/client')
  .option('--url <url>', 'a coordinator; default: embedded servers are started')
  .option('--redis <url>', 'its cache; with --url')
  .option('--token <token>', 'a service token; with --url')
  .option('--rules <rules>', `judge by these alone: ${RULE_NAMES.join(',')}`, someOf(RULE_NAMES))
  .option('--controls', 'judge the readers that break one rule each, by every rule')
  .option('--json', 'print the judgements as JSON');
program.parse();
process.exitCode = await main(program.opts<Options>());

async function main(options: Options): Promise<number> {
  const command = options.reader ?? programCommand(OWN_CLIENT);
  const servers = await serversOf(options);
  try {
    if (options.controls === true) return await judgeControls(servers);
    const judgements = await judgeReader(servers, command, options.rules);
    console.log(options.json === true ? JSON.stringify(judgements) : formatJudgements(judgements));
    return isConforming(judgements) ? 0 : 1;
  } finally {
    await servers.close();
  }
}

function serversOf({ url, redis, token }: Options): Promise<Servers> {
  if (url === undefined) {
    if (redis !== undefined || token !== undefined)
      program.error('--redis and --token go with --url');
    console.error('Starting embedded servers…');
    return Servers.embedded();
  }
  if (redis === undefined || token === undefined)
    return program.error('--url needs --redis and --token');
  return Servers.at({ url: url.replace(/\/$/, ''), redis, token });
}

/** Each must be found by the rule that it breaks, and by no other. What breaks a rule may be seen under load too. */
async function judgeControls(servers: Servers): Promise<number> {
  let exitCode = 0;
  for (const fault of FAULT_NAMES) {
    const broken = (await judgeReader(servers, programCommand(FAULTY, fault)))
      .filter(({ rule, verdict }) => verdict === 'failed' && rule !== 'run')
      .map(({ rule }) => rule);
    const isFound = broken.join() === FAULTS[fault];
    console.log(
      `${isFound ? 'found' : 'NOT found'} by ${broken.join(', ') || 'nothing'}: ${fault}`,
    );
    if (!isFound) exitCode = 1;
  }
  return exitCode;
}
