/**
 * Proposes a configuration for servers that are there already. What it proposes has passed the checks that `check` and
 * `start` make: a table that they refuse is left out with their reason.
 */
import { checkServers, openForChecks, serverUrls } from '../checks/index.ts';
import { type Config, ConfigError, formatFault, loadConfig } from '../config/index.ts';
import type { FieldFault } from '@lockstep/shared';
import type { Runtime } from '../runtime/index.ts';
import { formOf, type FoundPattern } from './cached-forms.ts';
import { keyPatterns } from './key-patterns.ts';
import { describeRelations, type KnownTable } from './known-tables.ts';
import type { LeftOut, Proposal, ProposedResource } from './proposal.ts';
import { ownCacheKey, proposedResource } from './proposed-resource.ts';
import { rawConfig, type NamedServers } from './raw-config.ts';
import { type KeySample, readRedisTexts, sampleRedisKeys } from './redis-sample.ts';
import { listRelations } from './relations.ts';

/** The most resources that a configuration may have. */
const MAX_RESOURCES = 500;
/** How many values of each pattern are read. */
const VALUES_PER_PATTERN = 5;
/** Each round mends at least one fault, and faults come in few layers. */
const MAX_ROUNDS = 20;

/** @throws ConfigError where the database's URL is none, LockstepError where it does not answer, the driver's error of the cache */
export async function propose(servers: NamedServers, runtime: Runtime): Promise<Proposal> {
  const sample = servers.cache === null ? null : await sampleRedisKeys(servers.cache);
  const { tables, leftOut } = await knownTables(servers, runtime);
  const patterns = await foundPatterns(tables, sample, servers);
  const resources = tables.map((table) =>
    proposedResource(
      table,
      patterns.filter(({ resource }) => resource === table.resource),
    ),
  );
  const kept = withinLimit(resources, leftOut);
  return mended(
    { resources: kept, leftOut, sample, faults: [], warnings: [] },
    tables,
    servers,
    runtime,
  );
}

async function knownTables(
  servers: NamedServers,
  runtime: Runtime,
): Promise<Awaited<ReturnType<typeof describeRelations>>> {
  const { database: settings } = await configOf(servers, []);
  const database = openForChecks(settings, servers.database, runtime);
  try {
    return await describeRelations(await listRelations(database.sql), database.catalog);
  } finally {
    await database.close();
  }
}

async function foundPatterns(
  tables: readonly KnownTable[],
  sample: KeySample | null,
  { cache }: NamedServers,
): Promise<FoundPattern[]> {
  if (sample === null || cache === null) return [];
  const named = tables.map(({ resource, relation, key }) => ({
    ...{ resource, table: relation.name, key },
  }));
  const patterns = keyPatterns(named, sample.keys);
  const wanted = patterns.map(({ keys }) =>
    keys.filter(({ kind }) => kind === 'string').slice(0, VALUES_PER_PATTERN),
  );
  const texts = await readRedisTexts(
    cache,
    wanted.flat().map(({ name }) => name),
  );
  let at = 0;
  return patterns.flatMap((pattern, index) => {
    const own = texts.slice(at, (at += wanted[index]?.length ?? 0));
    const table = tables.find(({ resource }) => resource === pattern.resource);
    return table === undefined ? [] : [{ ...pattern, form: formOf(pattern, own, table) }];
  });
}

/** Those with keys in the cache first, where there are more tables than a configuration may have. */
function withinLimit(resources: ProposedResource[], leftOut: LeftOut[]): ProposedResource[] {
  if (resources.length <= MAX_RESOURCES) return resources;
  const isCached = (each: ProposedResource): boolean =>
    each.format === 'raw' || each.invalidates.length > 0;
  const kept = new Set(
    [...resources.filter(isCached), ...resources.filter((each) => !isCached(each))].slice(
      0,
      MAX_RESOURCES,
    ),
  );
  const why = `is beyond the ${MAX_RESOURCES} resources that a configuration may have; another configuration can have it`;
  for (const each of resources) if (!kept.has(each)) leftOut.push({ table: each.table, why });
  return resources.filter((each) => kept.has(each));
}

/** Takes out what the checks refuse, until they refuse nothing of a resource. */
async function mended(
  proposal: Proposal,
  tables: readonly KnownTable[],
  servers: NamedServers,
  runtime: Runtime,
): Promise<Proposal> {
  let { resources } = proposal;
  const leftOut = [...proposal.leftOut];
  for (let round = 0; round < MAX_ROUNDS; round += 1) {
    const { faults, warnings } = await checked(servers, resources, runtime);
    const own = new Map<string, FieldFault[]>();
    const general: string[] = [];
    for (const fault of faults) {
      const name = resourceOf(fault);
      if (name === null) general.push(formatFault(fault));
      else own.set(name, [...(own.get(name) ?? []), fault]);
    }
    if (own.size === 0) {
      return {
        ...proposal,
        ...{ resources, leftOut },
        faults: general,
        warnings: warnings.map(formatFault),
      };
    }
    resources = resources.flatMap((resource) => {
      const found = own.get(resource.name);
      if (found === undefined) return [resource];
      const table = tables.find((each) => each.resource === resource.name);
      const better = table === undefined ? null : withoutFaults(resource, found, table);
      if (better !== null) return [better];
      leftOut.push({ table: resource.table, why: found.map(({ message }) => message).join('; ') });
      return [];
    });
  }
  throw new Error('the checks find a new fault each time; nothing was written');
}

/** The resource without the templates that are refused; null where something else is. */
function withoutFaults(
  resource: ProposedResource,
  faults: readonly FieldFault[],
  table: KnownTable,
): ProposedResource | null {
  let better = resource;
  for (const { path, message } of faults) {
    const [, , field, index] = path.split('.');
    if (field === 'invalidates' && index !== undefined) {
      const refused = resource.invalidates[Number(index)];
      better = { ...better, invalidates: better.invalidates.filter((each) => each !== refused) };
      continue;
    }
    const own = ownCacheKey(table, []);
    if (field !== 'cacheKey' || resource.cacheKey === own.cacheKey) return null;
    const cacheKeyNote = `a template of its own, because ${message}`;
    better = { ...better, ...own, cacheKeyNote, ttlMs: null };
  }
  return better;
}

async function checked(
  servers: NamedServers,
  resources: readonly ProposedResource[],
  runtime: Runtime,
): Promise<{ faults: FieldFault[]; warnings: FieldFault[] }> {
  let config: Config;
  try {
    config = await configOf(servers, resources);
  } catch (error) {
    if (error instanceof ConfigError) return { faults: [...error.faults], warnings: [] };
    throw error;
  }
  const result = await checkServers(config, serverUrls(config), runtime);
  const { faults, absent, spare, warnings } = result;
  return { faults: [...faults, ...absent, ...spare], warnings };
}

async function configOf(
  servers: NamedServers,
  resources: readonly ProposedResource[],
): Promise<Config> {
  const { config } = await loadConfig({ raw: rawConfig(servers, resources), env: {}, cwd: '/' });
  return config;
}

const resourceOf = ({ path }: FieldFault): string | null =>
  /^resources\.([^.]+)\./.exec(`${path}.`)?.[1] ?? null;
