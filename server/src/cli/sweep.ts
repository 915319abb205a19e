import type { SweepReport } from '@lockstep/shared';
import { sweepReport } from '@lockstep/shared/ops';
import { CacheConnection, sweepEntries, type SweepTarget } from '../cache/index.ts';
import type { Config } from '../config/index.ts';
import { CacheKeyTemplate, hasHeader, isCached, isInShadow, isRefreshed } from '../domain/index.ts';
import { RedisGenerations } from '../refreshes/index.ts';
import { CliFailure } from './cli-failure.ts';
import { callInstance, runningInstance } from './instance-client.ts';
import type { CliPorts, CommonOptions } from './ports.ts';
import { configuredServers } from './servers.ts';

const FIRST_ANSWER_MS = 5_000;

/**
 * Removes the entries of all resources, or of one: through the instance that runs in the data folder, or by itself on
 * the cache of a configuration that is named.
 * @throws CliFailure where nothing runs there, or the cache does not answer
 */
export async function runSweep(
  options: CommonOptions & { resource?: string },
  ports: CliPorts,
): Promise<void> {
  const { resource } = options;
  const report =
    options.config === undefined
      ? await callInstance(
          await runningInstance(options.dataDir),
          sweepReport.strip(),
          'POST',
          '/sweeps',
          resource === undefined ? {} : { resource },
        )
      : await sweepByItself(options, ports);
  if (options.json) return ports.out(JSON.stringify(report));
  const { resources, removed, intents } = report;
  if (resources.length === 0)
    return ports.out('nothing is swept: every resource is in rollout shadow');
  const left = intents === 0 ? '' : `, ${intents} write intents left to recovery`;
  ports.out(`${resources.join(', ')}: ${removed} removed${left}`);
}

async function sweepByItself(
  options: CommonOptions & { resource?: string },
  ports: CliPorts,
): Promise<SweepReport> {
  const { config, urls } = await configuredServers(options, ports);
  const url = urls.cache;
  if (url === null)
    throw new CliFailure(`the embedded cache in ${options.dataDir} does not run; start it first`);
  const { commandTimeoutMs } = config.cache;
  const connection = new CacheConnection({ url, commandTimeoutMs, runtime: ports.runtime });
  try {
    await connection.ready(FIRST_ANSWER_MS);
    const targets = targetsOf(config, options.resource);
    const report = await sweepEntries(connection, targets, ports.runtime.timers);
    const generations = new RedisGenerations(connection);
    for (const { name } of config.resources.filter(isRefreshed)) {
      if (report.resources.includes(name)) await generations.forget(name);
    }
    return report;
  } finally {
    connection.close();
  }
}

/** By the configuration alone: the database may be away, or not be what it was. */
function targetsOf({ resources }: Config, only: string | undefined): SweepTarget[] {
  const names = resources.map(({ name }) => name);
  if (only !== undefined && !names.includes(only))
    throw new CliFailure(`no resource ${only} is configured; allowed: ${names.join(', ')}`);
  if (resources.some((each) => each.name === only && isInShadow(each)))
    throw new CliFailure(
      `${only} is in rollout shadow, in which no entry is changed; allowed: rollout invalidate or own`,
    );
  const chosen = resources.filter(
    (each) => (only === undefined || each.name === only) && !isInShadow(each),
  );
  return chosen.map((resource) => {
    const { name, cacheKey, invalidates } = resource;
    const own = isCached(resource) ? new CacheKeyTemplate(cacheKey) : null;
    const related = invalidates.map((text) => new CacheKeyTemplate(text));
    return own === null || hasHeader(resource)
      ? { resource: name, entries: own, plain: related }
      : { resource: name, entries: null, plain: [own, ...related] };
  });
}
