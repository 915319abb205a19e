import { DRIFT_CLASSES } from '@lockstep/shared';
import { scan, settingOf, type ScanReport } from '../adoption/index.ts';
import { isComputed, isServedFromCache, type Resource } from '../domain/index.ts';
import { CliFailure } from './cli-failure.ts';
import type { CliPorts, CommonOptions } from './ports.ts';
import { configuredServers, withResources } from './servers.ts';

export interface ScanCommandOptions {
  all: boolean;
  sample: number;
}

const USAGE = 2;
/** How many keys are printed for a resource; `--json` has all. */
const SHOWN = 10;

/**
 * Compares a sample of a cache with the database and changes nothing in either. No instance need run. Answers 1 where
 * something differs.
 */
export async function runScan(
  only: string | undefined,
  options: CommonOptions & ScanCommandOptions,
  ports: CliPorts,
): Promise<number> {
  if ((only === undefined) !== options.all)
    throw new CliFailure('name one resource, or give --all', USAGE);
  const { config, urls } = await configuredServers(options, ports);
  const { database: url, cache: cacheUrl } = urls;
  if (url === null || cacheUrl === null)
    throw new CliFailure(`the embedded servers in ${options.dataDir} do not run; start them first`);
  const reports: ScanReport[] = [];
  await withResources(config, url, ports, async ({ resources }, database) => {
    const setting = await settingOf(database);
    const { signal } = new AbortController();
    const stores = { database, cacheUrl, signal, runtime: ports.runtime };
    for (const resource of chosen(resources, only)) {
      const report = await scan(resource, options.sample, stores, setting);
      reports.push(report);
      if (!options.json) for (const line of linesOf(report)) ports.out(line);
    }
  });
  if (options.json) {
    const shown = reports.map(withNines);
    ports.out(JSON.stringify(options.all ? { resources: shown } : shown[0]));
  }
  return reports.some(({ findings }) => findings.length > 0) ? 1 : 0;
}

/** Only the service's own loader could tell what a computed value should be. */
function chosen(resources: readonly Resource[], only: string | undefined): Resource[] {
  const scannable = resources.filter((each) => isServedFromCache(each) && !isComputed(each));
  if (only === undefined) return scannable;
  const found = scannable.find(({ name }) => name === only);
  if (found !== undefined) return [found];
  const names = scannable.map(({ name }) => name).join(', ');
  throw new CliFailure(`${only} is no resource that can be scanned; allowed: ${names}`);
}

/** How many nines of the entries are right, with 95% confidence: 2.5 is 99.7%. */
const ninesOf = ({ driftAtMost }: ScanReport): number | null =>
  driftAtMost === null ? null : Math.floor(-Math.log10(driftAtMost) * 10 + 1e-9) / 10;

const withNines = (report: ScanReport) => ({ ...report, nines: ninesOf(report) });

function linesOf(report: ScanReport): string[] {
  const { resource, sampled, compared, drift, driftAtMost, findings } = report;
  const kinds = DRIFT_CLASSES.filter((kind) => drift[kind] > 0).map(
    (kind) => `${drift[kind]} ${kind}`,
  );
  const head = `${resource}: ${sampled} keys looked at, ${compared} entries compared`;
  if (driftAtMost === null) return [`${head}: the sample has no entry in the cache`];
  const percent = (driftAtMost * 100).toPrecision(2);
  return [
    `${head}, ${kinds.length === 0 ? 'no drift' : `drift: ${kinds.join(', ')}`}; with 95% confidence at most ${percent}% differ (${ninesOf(report)} nines)`,
    ...findings.slice(0, SHOWN).map((each) => `  ${each.class}: ${each.cacheKey}`),
    ...(findings.length > SHOWN ? [`  … ${findings.length - SHOWN} more`] : []),
  ];
}
