import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { text } from 'node:stream/consumers';
import { repositoryPath } from '@lockstep/testkit/repository';

export interface CliResult {
  code: number | null;
  stdout: string;
  stderr: string;
}

const TIMEOUT_MS = 60_000;

/** Runs `lockstep ARGS` as a user does. */
export async function runCli(args: readonly string[], cwd = '/'): Promise<CliResult> {
  const child = spawn(process.execPath, [repositoryPath('scripts/lockstep.mjs'), ...args], {
    cwd,
    stdio: ['ignore', 'pipe', 'pipe'],
    timeout: TIMEOUT_MS,
    env: { PATH: process.env['PATH'], HOME: process.env['HOME'] },
  });
  const [stdout, stderr] = await Promise.all([
    text(child.stdout),
    text(child.stderr),
    once(child, 'exit'),
  ]);
  return { code: child.exitCode, stdout, stderr };
}

/** Runs a command with `--json` and answers what it printed. @throws Error when it failed or printed anything else */
export async function runCliJson(args: readonly string[], cwd?: string): Promise<unknown> {
  const result = await runCli([...args, '--json'], cwd);
  try {
    return JSON.parse(result.stdout);
  } catch (cause) {
    const { code, stdout, stderr } = result;
    throw new Error(`lockstep ${args.join(' ')} ended with ${code}\n${stdout}\n${stderr}`, {
      cause,
    });
  }
}
