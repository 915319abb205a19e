/** The program around the composition: with its entry, the only reader of `process.env`, the command line and signals. */
import { existsSync } from 'node:fs';
import { createInterface } from 'node:readline/promises';
import { fileURLToPath } from 'node:url';
import packageJson from '../package.json' with { type: 'json' };
import { type CliPorts, runCli, type StartOptions } from './cli/index.ts';
import { runInstance, type ServingInstance } from './coordinator/index.ts';
import { demoConfig } from './demo/index.ts';
import { createLog, systemRuntime } from './runtime/index.ts';

const { version } = packageJson;
const dashboardDir = fileURLToPath(new URL('../../dashboard/dist', import.meta.url));
const workerProgram = fileURLToPath(new URL('./worker.js', import.meta.url));
const demoLoadProgram = fileURLToPath(new URL('./demo-load.js', import.meta.url));

/** Runs the command line, and ends the process. */
export async function runProgram(): Promise<never> {
  const ports: CliPorts = {
    env: process.env,
    cwd: process.cwd(),
    out,
    err: (line) => process.stderr.write(`${line}\n`),
    ask: process.stdin.isTTY && process.stderr.isTTY ? askAtTerminal : null,
    version,
    runtime: systemRuntime(createLog('silent', null)),
    start,
    demoConfig,
  };
  const exitCode = await runCli(process.argv.slice(2), ports);
  // Whatever is left open by a command that has ended must not keep it.
  process.exit(exitCode);
}

async function start(options: StartOptions): Promise<number> {
  await runInstance({
    ...options,
    env: process.env,
    cwd: process.cwd(),
    version,
    dashboardDir: existsSync(dashboardDir) ? dashboardDir : null,
    demoLoadProgram,
    workerProgram,
    signal: stopSignal(),
    onReload: (reload) => void process.on('SIGHUP', reload),
    onServing: (instance) => announce(instance, options.json),
  });
  return 0;
}

/** Aborts at the first SIGTERM or SIGINT; a second one ends the process at once. */
function stopSignal(): AbortSignal {
  const stopping = new AbortController();
  for (const name of ['SIGTERM', 'SIGINT'] as const) {
    process.on(name, () => {
      if (stopping.signal.aborted) process.exit(1);
      stopping.abort();
    });
  }
  return stopping.signal;
}

/** The question goes to the error output, so that what a command prints can be piped. */
async function askAtTerminal(question: string): Promise<string> {
  const terminal = createInterface({ input: process.stdin, output: process.stderr });
  try {
    return await terminal.question(question);
  } finally {
    terminal.close();
  }
}

const out = (line: string): void => void process.stdout.write(`${line}\n`);

function announce(
  { url, adminToken, dataDir, demo, logFile }: ServingInstance,
  json: boolean,
): void {
  if (json) return out(JSON.stringify({ url, pid: process.pid, dataDir }));
  out('');
  out(`  Lockstep ${version} runs at ${url}`);
  // What is printed elsewhere is kept: by a journal, a pipe, a container's log.
  if (process.stdout.isTTY) out(`  Dashboard, signed in:  ${url}/#/signin?token=${adminToken}`);
  else out(`  Dashboard:             ${url}/ (sign in with adminToken of the next file)`);
  out(`  Tokens and addresses:  ${dataDir}/runtime.json`);
  if (logFile !== null) out(`  Log:                   ${logFile}`);
  if (demo)
    out('  A demo service reads and writes a few hundred times a second. Ctrl-C stops everything.');
  out('');
}
