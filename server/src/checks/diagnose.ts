/** `lockstep doctor`: everything that `check` tests, and what an operator wants to know beside it. */
import type { Config } from '../config/index.ts';
import { isStrict } from '../domain/index.ts';
import type { Runtime } from '../runtime/index.ts';
import { checkServers, type ServerUrls } from './check-servers.ts';
import { databaseFindings } from './database-findings.ts';
import { type Finding, findingsOf } from './finding.ts';
import { cachePath } from './redis-checks.ts';
import { redisFindings } from './redis-findings.ts';

/** Clocks that differ by more are pointed out. */
const FAR_MS = 1_000;

export async function diagnose(
  config: Config,
  urls: ServerUrls,
  runtime: Runtime,
): Promise<Finding[]> {
  const checked = findingsOf(await checkServers(config, urls, runtime));
  const { database, cache, locks } = urls;
  const wallMs = (): number => runtime.clock.wallMs();
  const ofRedis = (url: string, path: string, role: 'cache' | 'lock node') =>
    reached(
      redisFindings(url, {
        ...{ path, role, wallMs },
        hasStrict: config.resources.some(isStrict),
        verifiesIntents: config.strict.verifyIntent,
      }),
    );
  const servers = await Promise.all([
    database === null ? null : reached(databaseFindings(config, database, runtime)),
    cache === null ? null : ofRedis(cache, cachePath(cache), 'cache'),
    ...locks.map((url, index) => ofRedis(url, `locks.nodes.${index}`, 'lock node')),
  ]);
  const names = ['database', 'cache', ...locks.map((_, index) => `lock node ${index}`)];
  const clocks = servers.flatMap((server, index) =>
    server?.clockAheadMs === null || server?.clockAheadMs === undefined
      ? []
      : [{ name: names[index] ?? '', aheadMs: server.clockAheadMs }],
  );
  const told = new Set(checked.map(({ area }) => area));
  const more = servers
    .flatMap((server) => server?.findings ?? [])
    // What `check` says of a right that is missing has the grant that gives it.
    .filter(
      ({ level, area }) => level !== 'warning' || !area.endsWith('.table') || !told.has(area),
    );
  return [...checked, ...more, ...ofClocks(clocks)];
}

/** A server that cannot be asked has a line of `check` already. */
const reached = <T>(asked: Promise<T>): Promise<T | null> => asked.catch(() => null);

function ofClocks(clocks: readonly { name: string; aheadMs: number }[]): Finding[] {
  if (clocks.length === 0) return [];
  const texts = clocks.map(
    ({ name, aheadMs }) => `${name} ${aheadMs >= 0 ? '+' : '−'}${Math.abs(aheadMs)} ms`,
  );
  const isFar = clocks.some(({ aheadMs }) => Math.abs(aheadMs) > FAR_MS);
  const message = `against this machine’s: ${texts.join(', ')} (no promise depends on clocks)`;
  const mend = isFar ? 'timedatectl set-ntp true, on each machine' : null;
  return [{ level: 'note', area: 'clocks', message, mend }];
}
