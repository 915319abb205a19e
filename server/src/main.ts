/** The composition root: the only reader of `process.env`, the command line and signals. */
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import packageJson from '../package.json' with { type: 'json' };
import { type CliPorts, runCli, type StartOptions } from './cli/index.ts';
import { runInstance, type ServingInstance } from './coordinator/index.ts';
import { demoConfig } from './demo/index.ts';
import { createLog, systemRuntime } from './runtime/index.ts';

const { version } = packageJson;
const dashboardDir = fileURLToPath(new URL('../../dashboard/dist', import.meta.url));
const demoLoadProgram = fileURLToPath(new URL('./demo-load.js', import.meta.url));

const ports: CliPorts = {
  env: process.env,
  cwd: process.cwd(),
  out: (line) => process.stdout.write(`${line}\n`),
  err: (line) => process.stderr.write(`${line}\n`),
  version,
  runtime: systemRuntime(createLog('silent', null)),
  start,
  demoConfig,
};

process.exitCode = await runCli(process.argv.slice(2), ports);
// Whatever is left open by a command that has ended must not keep it.
process.exit();

async function start(options: StartOptions): Promise<number> {
  await runInstance({
    ...options,
    env: process.env,
    cwd: process.cwd(),
    version,
    dashboardDir: existsSync(dashboardDir) ? dashboardDir : null,
    demoLoadProgram,
    signal: stopSignal(),
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

function announce(
  { url, adminToken, dataDir, demo, logFile }: ServingInstance,
  json: boolean,
): void {
  if (json) return ports.out(JSON.stringify({ url, pid: process.pid, dataDir }));
  ports.out('');
  ports.out(`  Lockstep ${version} runs at ${url}`);
  ports.out(`  Dashboard, signed in:  ${url}/#/signin?token=${adminToken}`);
  ports.out(`  Tokens and addresses:  ${dataDir}/runtime.json`);
  if (logFile !== null) ports.out(`  Log:                   ${logFile}`);
  if (demo)
    ports.out(
      '  A demo service reads and writes a few hundred times a second. Ctrl-C stops everything.',
    );
  ports.out('');
}
