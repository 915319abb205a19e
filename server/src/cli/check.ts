import { checkServers, type CheckResult } from '../checks/index.ts';
import { ConfigError, formatFault } from '../config/index.ts';
import type { CliPorts, CommonOptions } from './ports.ts';
import { configuredServers } from './servers.ts';

type Report = Pick<CheckResult, 'faults' | 'warnings' | 'notes'>;

/**
 * Checks the configuration and every server in it. Answers 1 where there is a fault; prints one line for each.
 * Warnings are printed too, and are no faults.
 */
export async function runCheck(options: CommonOptions, ports: CliPorts): Promise<number> {
  const { faults, warnings, notes } = await check(options, ports);
  if (options.json) {
    ports.out(JSON.stringify({ ok: faults.length === 0, faults, warnings, notes }));
  } else {
    for (const fault of faults) ports.out(formatFault(fault));
    for (const warning of warnings) ports.out(`warning: ${formatFault(warning)}`);
    if (faults.length === 0) for (const note of notes) ports.out(`ok: ${note}`);
  }
  return faults.length === 0 ? 0 : 1;
}

async function check(options: CommonOptions, ports: CliPorts): Promise<Report> {
  let configured: Awaited<ReturnType<typeof configuredServers>>;
  try {
    configured = await configuredServers(options, ports);
  } catch (error) {
    if (error instanceof ConfigError) return { faults: [...error.faults], warnings: [], notes: [] };
    throw error;
  }
  const { config, urls } = configured;
  const { faults, absent, spare, warnings, notes } = await checkServers(
    config,
    urls,
    ports.runtime,
  );
  return {
    faults: [...faults, ...absent, ...spare],
    warnings,
    notes: [
      `configuration with ${config.resources.length} resource(s)`,
      ...(urls.database === null ? [notRunning('database')] : []),
      ...(urls.cache === null ? [notRunning('cache')] : []),
      ...(urls.locks.length === 0 ? [notRunning('lock nodes')] : []),
      ...notes,
    ],
  };
}

const notRunning = (what: string): string =>
  `${what}: embedded, not running now; start brings them up`;
