import { type Config, ConfigError, formatFault } from '../config/index.ts';
import { checkDatabase } from './check-database.ts';
import type { CheckResult } from './check-result.ts';
import { checkCache, checkLockNodes } from './check-redis.ts';
import type { CliPorts, CommonOptions } from './ports.ts';
import { configOf, serverUrls } from './servers.ts';

/** Checks the configuration and every server in it. Answers 1 where there is a fault; prints one line for each. */
export async function runCheck(options: CommonOptions, ports: CliPorts): Promise<number> {
  const { faults, notes } = await check(options, ports);
  if (options.json) {
    ports.out(JSON.stringify({ ok: faults.length === 0, faults, notes }));
  } else {
    for (const fault of faults) ports.out(formatFault(fault));
    if (faults.length === 0) for (const note of notes) ports.out(`ok: ${note}`);
  }
  return faults.length === 0 ? 0 : 1;
}

async function check(options: CommonOptions, ports: CliPorts): Promise<CheckResult> {
  let config: Config;
  try {
    config = await configOf(options, ports);
  } catch (error) {
    if (error instanceof ConfigError) return { faults: [...error.faults], notes: [] };
    throw error;
  }
  const urls = await serverUrls(config, options.dataDir);
  const hasStrict = config.resources.some(({ policy }) => policy === 'strict');
  const results = await Promise.all([
    urls.database === null ? notRunning('database') : checkDatabase(config, urls.database, ports),
    urls.cache === null ? notRunning('cache') : checkCache(urls.cache, hasStrict),
    urls.locks.length === 0 ? notRunning('lock nodes') : checkLockNodes(urls.locks, hasStrict),
  ]);
  return {
    faults: results.flatMap((result) => result.faults),
    notes: [
      `configuration with ${config.resources.length} resource(s)`,
      ...results.flatMap((result) => result.notes),
    ],
  };
}

const notRunning = (what: string): CheckResult => ({
  faults: [],
  notes: [`${what}: embedded, not running now; start brings them up`],
});
