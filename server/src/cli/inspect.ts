import { z } from 'zod';
import { callInstance, runningInstance } from './instance-client.ts';
import type { CliPorts, CommonOptions } from './ports.ts';

const inspectionSchema = z.looseObject({
  resource: z.string(),
  key: z.string(),
  cacheKey: z.string(),
  policy: z.string(),
  database: z.looseObject({ version: z.int(), fence: z.int(), row: z.unknown() }).nullable(),
  cache: z
    .looseObject({
      state: z.string(),
      version: z.int().nullish(),
      ttlMs: z.number().nullish(),
      value: z.unknown().optional(),
    })
    .nullable(),
  lock: z
    .looseObject({
      instance: z.string(),
      purpose: z.string(),
      leftMs: z.number(),
      waiting: z.int(),
    })
    .nullable(),
  home: z.looseObject({ instance: z.string(), url: z.string() }).nullable(),
  agrees: z.boolean().nullable(),
  events: z.array(z.looseObject({ atMs: z.number(), type: z.string(), detail: z.string() })),
});
type Inspection = z.output<typeof inspectionSchema>;

/** Shows both sides of one key. */
export async function runInspect(
  resource: string,
  key: string,
  options: CommonOptions,
  ports: CliPorts,
): Promise<void> {
  const instance = await runningInstance(options.dataDir);
  const path = `/keys/${encodeURIComponent(resource)}/${keySegment(key)}`;
  const inspection = await callInstance(instance, inspectionSchema, 'GET', path);
  if (options.json) ports.out(JSON.stringify(inspection));
  else for (const line of describe(inspection)) ports.out(line);
}

/** A typed key as a path segment: percent-encodings stand, everything else that must be encoded is. */
function keySegment(key: string): string {
  return key
    .split(',')
    .map((part) => encodeURIComponent(decoded(part)))
    .join(',');
}

function decoded(part: string): string {
  try {
    return decodeURIComponent(part);
  } catch {
    return part;
  }
}

function describe(inspection: Inspection): string[] {
  const { resource, key, cacheKey, policy, agrees, events } = inspection;
  const { database, cache, lock, home } = inspection;
  const ttl =
    cache?.ttlMs === null || cache?.ttlMs === undefined ? 'no expiry' : `${cache.ttlMs} ms left`;
  const isAbsent = cache?.state === 'absent';
  return [
    `key       ${resource} ${key} (${policy}, cache key ${cacheKey})`,
    database === null
      ? 'database  does not answer'
      : `database  version ${database.version}, fence ${database.fence}: ${JSON.stringify(database.row)}`,
    cache === null
      ? 'cache     does not answer'
      : isAbsent
        ? 'cache     nothing'
        : `cache     ${cache.state}, version ${cache.version ?? '?'}, ${ttl}: ${JSON.stringify(cache.value)}`,
    lock === null
      ? 'lock      not held'
      : `lock      held by ${lock.instance} for ${lock.purpose}, ${Math.round(lock.leftMs)} ms left, ${lock.waiting} waiting`,
    home === null ? 'home      not known now' : `home      ${home.instance} at ${home.url}`,
    `agree     ${agrees === null ? 'unknown' : agrees ? 'yes' : 'no'}`,
    ...events.map(
      ({ atMs, type, detail }) => `${new Date(atMs).toISOString()}  ${type}  ${detail}`,
    ),
  ];
}
