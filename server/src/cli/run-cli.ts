import { CommanderError } from 'commander';
import { ConfigError, formatFault } from '../config/index.ts';
import { CliFailure } from './cli-failure.ts';
import { lineOf } from './line-of.ts';
import type { CliPorts } from './ports.ts';
import { buildProgram } from './program.ts';

/** Exit codes: all went well; a fault was found or something failed; the command line itself was wrong. */
export const EXIT = { ok: 0, failed: 1, usage: 2 } as const;

/**
 * Runs one command and answers its exit code. It never rejects: every error is one line on the error output (a wrong
 * configuration one line a fault).
 * @param argv the arguments behind the program's name
 */
export async function runCli(argv: readonly string[], ports: CliPorts): Promise<number> {
  let code: number = EXIT.ok;
  const program = buildProgram(ports, (exitCode) => (code = exitCode));
  try {
    await program.parseAsync([...argv], { from: 'user' });
    return code;
  } catch (error) {
    return report(error, ports);
  }
}

function report(error: unknown, ports: CliPorts): number {
  // Commander has said already what is wrong; help and version are no faults.
  if (error instanceof CommanderError) return error.exitCode === 0 ? EXIT.ok : EXIT.usage;
  if (error instanceof ConfigError) {
    for (const fault of error.faults) ports.err(formatFault(fault));
    return EXIT.failed;
  }
  ports.err(`lockstep: ${lineOf(error)}`);
  return error instanceof CliFailure ? error.exitCode : EXIT.failed;
}
