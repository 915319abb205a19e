/** Judges a reader of entries by the rules of docs/read-protocol.md. README.md says how. */
import { fileURLToPath } from 'node:url';
import { Command } from 'commander';
import { isConforming, judgeReader } from './kit.ts';
import { formatJudgements } from './report.ts';
import { Servers } from './servers.ts';
import { programCommand } from './program-command.ts';

interface Options {
  url?: string;
  redis?: string;
  token?: string;
  reader?: string;
  json?: boolean;
}

const OWN_CLIENT = fileURLToPath(new URL('./readers/client.program.ts', import.meta.url));

const program = new Command('conformance')
  .description('Judges a program that reads entries by the rules of docs/read-protocol.md')
  .option('--reader <command>', 'command line that starts the reader; default: @lockstep/client')
  .option('--url <url>', 'a coordinator; default: embedded servers are started')
  .option('--redis <url>', 'its cache; with --url')
  .option('--token <token>', 'a service token; with --url')
  .option('--json', 'print the judgements as JSON');
program.parse();
process.exitCode = await main(program.opts<Options>());

async function main(options: Options): Promise<number> {
  const command = options.reader ?? programCommand(OWN_CLIENT);
  const servers = await serversOf(options);
  try {
    const judgements = await judgeReader(servers, command);
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
