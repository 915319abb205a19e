import { diagnose, type Finding, FINDING_LEVELS, findingsOf } from '../checks/index.ts';
import { ConfigError, withoutCredentials } from '../config/index.ts';
import type { CliPorts, CommonOptions } from './ports.ts';
import { configuredServers } from './servers.ts';

/**
 * Prints what an operator should know of the configuration and every server in it, one line a finding, each with what
 * mends it. Answers 1 where there is a fault.
 */
export async function runDoctor(options: CommonOptions, ports: CliPorts): Promise<number> {
  const found = (await findings(options, ports)).map(withoutSecrets);
  const counts = Object.fromEntries(
    FINDING_LEVELS.map((level) => [level, found.filter((each) => each.level === level).length]),
  ) as Record<Finding['level'], number>;
  if (options.json) {
    ports.out(JSON.stringify({ ok: counts.fault === 0, findings: found }));
  } else {
    for (const level of FINDING_LEVELS) {
      for (const each of found) if (each.level === level) ports.out(lineOf(each));
    }
    ports.out(`${counts.fault} fault(s), ${counts.warning} warning(s), ${counts.note} note(s)`);
  }
  return counts.fault === 0 ? 0 : 1;
}

async function findings(options: CommonOptions, ports: CliPorts): Promise<Finding[]> {
  try {
    const { config, urls } = await configuredServers(options, ports);
    return await diagnose(config, urls, ports.runtime);
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    const nothing = { absent: [], spare: [], warnings: [], notes: [] };
    return findingsOf({ faults: [...error.faults], ...nothing });
  }
}

function withoutSecrets({ level, area, message, mend }: Finding): Finding {
  return {
    ...{ level, area, message: withoutCredentials(message) },
    mend: mend === null ? null : withoutCredentials(mend),
  };
}

function lineOf({ level, area, message, mend }: Finding): string {
  const what = area === '' ? message : `${area}: ${message}`;
  return `${`${level}:`.padEnd(8)} ${what}${mend === null ? '' : ` | mend: ${mend}`}`;
}
