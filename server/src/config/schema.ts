/**
 * The fields of a configuration file, group by group, with their defaults. Rules about several fields are in
 * `resolve.ts`. The meaning of a field is in `config.ts`, unless the configuration has the group unchanged.
 */
import { DATABASE_CLIENTS, DIALECTS } from '../dialects/index.ts';
import { ENTRY_FORMATS, POLICIES, REPAIR_RULES, ROLLOUT_STAGES } from '@lockstep/shared';
import { Cron } from 'croner';
import { z } from 'zod';
import { isCached, rulesOf, TimeZone } from '../domain/index.ts';
import { TLS_MODES } from '../tls/index.ts';
import {
  bytes,
  DAY_MS,
  duration,
  flag,
  fraction,
  group,
  HOUR_MS,
  list,
  MINUTE_MS,
  oneOf,
  parseName,
  parseUrl,
  SECOND_MS,
  setting,
  table,
  text,
  whole,
} from './settings.ts';

/** How changes by other programs are noticed. */
export const CAPTURE_MODES = ['log', 'triggers', 'off'] as const;

/** Policies that a query can have. */
const DERIVED_POLICIES = POLICIES.filter((policy) => rulesOf({ policy }).isForQueries);
/** Policies that a computed resource can have: those of queries that cache. */
const COMPUTED_POLICIES = DERIVED_POLICIES.filter((policy) => isCached({ policy }));

const KIB = 1024;
const MIB = 1024 * KIB;
const REDIS_SCHEMES = ['redis', 'rediss'];
const DATABASE_SCHEMES = Object.values(DIALECTS).flatMap(({ urlSchemes }) => urlSchemes);
/** With everything that follows, a stop takes at most 15 s. */
const MAX_DRAIN_MS = 11 * SECOND_MS;
const MAX_ADDRESS_LENGTH = 512;
/** Each vote of a group is a command for each of its nodes. */
export const MAX_LOCK_GROUP = 15;
/** The ids of all of them fit in one column of the migration `0008_shared_servers`. */
const MAX_LOCK_NODES = 48;
/** The most columns or templates in a list of one resource. */
const MAX_NAMES = 500;

const parseRedisUrl = (input: unknown) => parseUrl(input, REDIS_SCHEMES);
const parseDatabaseUrl = (input: unknown) => parseUrl(input, DATABASE_SCHEMES);
const parseTemplate = (input: unknown) =>
  typeof input === 'string' && input.length > 0 && input.length <= 512 ? input : undefined;

const redisUrl = () =>
  setting(
    'a URL such as redis://user:password@host:6379/0 (Sentinels go in cache.sentinels)',
    parseRedisUrl,
    { secret: true },
  );
const redisUrls = (min: number, max: number, port = 6379, which = '') =>
  list(
    `${min} to ${max} different URLs such as redis://host:${port}${which}`,
    parseRedisUrl,
    { min, max },
    { secret: true },
  );
const names = (what: string, max: number) =>
  list(`a list of 1 to ${max} different ${what}`, parseName, { min: 1, max });
const token = () =>
  text('16 to 256 visible ASCII characters', /^[\x21-\x7e]{16,256}$/, { secret: true });

const databaseUrl = () =>
  setting('a URL such as postgres://user:password@host:5432/name or mysql://…', parseDatabaseUrl, {
    secret: true,
  });

/** A PEM text, or the path of a file with one. Relative paths are relative to the configuration's file. */
const pem = (what: string) =>
  text(`${what} as PEM, or the path of its file`, /^[^\0]{1,65536}$/, { secret: true });

/** How connections to a group's servers are encrypted. */
const tls = () =>
  group({
    mode: oneOf(TLS_MODES).default('verify-full'),
    ca: pem('certificates of the trusted authorities').optional(),
    cert: pem('the client’s certificate').optional(),
    key: pem('the client’s key').optional(),
    serverName: text('the name in the server’s certificate', /^[^\s/]{1,255}$/).optional(),
  }).optional();

const listen = group({
  host: text('an address or host name to listen on', /^[^\s/]{1,255}$/).default('127.0.0.1'),
  port: whole(0, 65_535).default(7400),
  drainDelay: duration(0, MAX_DRAIN_MS).optional(),
});

const database = group({
  mode: oneOf(['embedded', 'external']).optional(),
  initSql: text('the path of an SQL file', /./).optional(),
  client: oneOf(DATABASE_CLIENTS).optional(),
  connection: databaseUrl().optional(),
  tls: tls(),
  replicas: list(
    'a list of at most 16 database URLs',
    parseDatabaseUrl,
    { min: 0, max: 16 },
    { secret: true },
  ).optional(),
  pool: group({ min: whole(0, 500).default(2), max: whole(1, 500).default(20) }).prefault({}),
  statementTimeout: duration(50, 10 * MINUTE_MS).optional(),
  acquireTimeout: duration(50, MINUTE_MS).default(2 * SECOND_MS),
  capture: oneOf(CAPTURE_MODES).optional(),
  timeZone: setting(
    'a time zone such as Europe/Berlin, or an offset from -12:59 to +13:00',
    parseZone,
  ).default('UTC'),
});

const cache = group({
  mode: oneOf(['embedded', 'external']).optional(),
  url: redisUrl().optional(),
  cluster: redisUrls(1, 100).optional(),
  sentinels: redisUrls(1, 20, 26_379).optional(),
  name: text('the name of the sentinels’ master', /^\S{1,255}$/).optional(),
  username: text('a user of the sentinels’ master', /^\S{1,255}$/, { secret: true }).optional(),
  password: text('the password of the sentinels’ master', /^.{1,4096}$/, {
    secret: true,
  }).optional(),
  database: whole(0, 1_000_000).optional(),
  tls: tls(),
  commandTimeout: duration(10, MINUTE_MS).default(500),
  waitReplicas: whole(0, 16).default(0),
});

const locks = group({
  mode: oneOf(['embedded', 'external']).optional(),
  nodes: redisUrls(1, MAX_LOCK_NODES, 6379, ' of single servers, without Sentinels').optional(),
  groupSize: whole(1, MAX_LOCK_GROUP).optional(),
  tls: tls(),
  ttl: duration(500, 10 * MINUTE_MS).default(8 * SECOND_MS),
  waitTimeout: duration(1, 10 * MINUTE_MS).default(5 * SECOND_MS),
  maxTenure: duration(0, MINUTE_MS).default(250),
  maxTenureTurns: whole(1, 10_000).default(256),
  maxTurn: duration(500, HOUR_MS).default(30 * SECOND_MS),
});

const leases = group({
  max: whole(1, 100_000).default(1000),
  maxTtl: duration(SECOND_MS, HOUR_MS).default(MINUTE_MS),
  maxLife: duration(SECOND_MS, DAY_MS).default(HOUR_MS),
});

const guards = group({
  max: whole(1, 100_000).default(1000),
  maxTtl: duration(SECOND_MS, 10 * MINUTE_MS).default(MINUTE_MS),
});

const strict = group({ verifyIntent: flag().default(false) });

const auth = group({
  mode: oneOf(['required', 'off']).default('required'),
  origins: list(
    'a list of at most 32 different URLs such as https://lockstep.example.com, without a path',
    parseAddress,
    { min: 0, max: 32 },
    { secret: true },
  ).default([]),
  tokens: group({
    service: token().optional(),
    admin: token().optional(),
    metrics: token().optional(),
  }).prefault({}),
});

const limits = group({
  /** Longest request body. */
  bodyBytes: bytes(KIB, 16 * MIB).default(256 * KIB),
  /** Longest canonical key, in bytes of UTF-8. */
  keyBytes: bytes(16, 2 * KIB).default(2 * KIB),
  batchOperations: whole(1, 1000).default(100),
  transactionOperations: whole(1, 500).default(100),
  /** The longest answer to one batch or transaction, in bytes. */
  answerBytes: bytes(64 * KIB, 256 * MIB).default(8 * MIB),
  /** How many operations of one batch run at once. */
  batchConcurrency: whole(1, 256).default(64),
  waitersPerKey: whole(1, 100_000).default(1000),
  writesInFlight: whole(1, 100_000).default(4000),
  readsInFlight: whole(1, 100_000).default(4000),
  /** The most open connections of callers. */
  connections: whole(8, 100_000).default(4096),
  /** The most bytes of answers that callers have not received yet, over all connections. */
  unsentBytes: bytes(MIB, 4096 * MIB).default(64 * MIB),
});

const log = group({
  level: oneOf(['debug', 'info', 'warn', 'error', 'silent']).default('info'),
});

/** Defaults of every resource's `audit`. */
const audit = group({
  every: duration(SECOND_MS, DAY_MS).default(MINUTE_MS),
  sample: whole(1, 10_000).default(500),
  grace: duration(0, MINUTE_MS).default(2 * SECOND_MS),
  repair: oneOf(REPAIR_RULES).default('report'),
});

const resourceAudit = group({
  every: duration(SECOND_MS, DAY_MS).optional(),
  schedule: setting('a cron expression such as "*/5 * * * *"', parseCron).optional(),
  sample: whole(1, 10_000).optional(),
  grace: duration(0, MINUTE_MS).optional(),
  repair: oneOf(REPAIR_RULES).optional(),
});

const changeLog = group({
  mode: oneOf(['on', 'off']).optional(),
  connection: databaseUrl().optional(),
  slot: text('a name of small letters, digits and _', /^[a-z0-9_]{1,63}$/).optional(),
  publication: text('a name of small letters, digits and _', /^[a-z_][a-z0-9_]{0,62}$/).default(
    'lockstep',
  ),
  serverId: whole(1, 4_294_967_295).optional(),
  behindAfter: duration(100, HOUR_MS).default(5 * SECOND_MS),
});

const invalidations = group({ poll: duration(1, SECOND_MS).default(5) });

const routing = group({
  mode: oneOf(['serve', 'forward']).default('serve'),
  address: setting('a URL such as http://coordinator-1:7400, without a path', parseAddress, {
    secret: true,
  }).optional(),
  peers: list(
    'a list of at most 1000 different URLs such as http://coordinator-2:7400, without a path',
    parseAddress,
    { min: 0, max: 1000 },
    { secret: true },
  ).default([]),
  heartbeat: duration(100, MINUTE_MS).default(SECOND_MS),
  expiry: duration(500, 10 * MINUTE_MS).default(5 * SECOND_MS),
  maxForwards: whole(1, 10_000).default(256),
});

export const groups = {
  listen,
  database,
  cache,
  locks,
  leases,
  guards,
  strict,
  changeLog,
  invalidations,
  routing,
  auth,
  limits,
  log,
  audit,
} as const;
const MAX_REFRESHED_ROWS = 50_000;

const resourceRefresh = group({
  every: duration(SECOND_MS, DAY_MS).optional(),
  schedule: setting('a cron expression such as "*/5 * * * *"', parseCron).optional(),
  maxRows: whole(1, MAX_REFRESHED_ROWS).default(10_000),
});

export const tableResource = group({
  table: table(),
  key: names('key columns', 8),
  columns: names('columns', MAX_NAMES).optional(),
  cacheKey: text('a template such as account:{id}', /^[^\0]{1,512}$/u).optional(),
  ttl: duration(100, 365 * DAY_MS).default(10 * MINUTE_MS),
  ttlJitter: fraction(0, 0.9).default(0.1),
  negativeTtl: duration(100, 365 * DAY_MS).default(30 * SECOND_MS),
  policy: oneOf(POLICIES).default('delete-after-write'),
  onWrite: oneOf(['set', 'delete']).default('set'),
  secondDeleteAfter: duration(1, HOUR_MS).optional(),
  refresh: resourceRefresh.optional(),
  level: oneOf(['redis', 'local']).default('redis'),
  format: oneOf(ENTRY_FORMATS).default('entry'),
  rollout: oneOf(ROLLOUT_STAGES).default('own'),
  invalidates: list('a list of at most 32 different templates', parseTemplate, {
    min: 0,
    max: 32,
  }).default([]),
  audit: resourceAudit.optional(),
});

/** The longest text of a query, in characters. */
const MAX_QUERY = 16_384;
const MAX_DEPENDENCIES = 16;
const MAX_QUERY_ROWS = 10_000;
/** The types of parameters: those in which each value has only one spelling. */
export const PARAMETER_TYPES = ['integer', 'bigint', 'text', 'uuid'] as const;
export type ParameterType = (typeof PARAMETER_TYPES)[number];

const dependency = group({
  resource: text('the name of a resource', /^[A-Za-z][A-Za-z0-9_-]{0,62}$/).optional(),
  table: table().optional(),
  key: setting('an object that names a column for each parameter', parseMapping),
});

const derivedFields = {
  parameters: setting(
    `1 to 8 parameters: a list of names, or an object of names and types (${PARAMETER_TYPES.join(', ')})`,
    parseParameters,
  ),
  dependsOn: z
    .array(dependency, `must be a list of tables or resources; allowed: 1 to ${MAX_DEPENDENCIES}`)
    .min(1, `is empty; allowed: 1 to ${MAX_DEPENDENCIES} tables or resources`)
    .max(MAX_DEPENDENCIES, `is too long; allowed: 1 to ${MAX_DEPENDENCIES} tables or resources`),
  cacheKey: text('a template such as owner:{owner}', /^[^\0]{1,512}$/u).optional(),
  ttl: duration(100, 365 * DAY_MS).default(10 * MINUTE_MS),
  ttlJitter: fraction(0, 0.9).default(0.1),
  level: oneOf(['redis', 'local']).default('redis'),
};

/** A resource that is a query instead of a table. */
export const queryResource = group({
  query: text(`a select of at most ${MAX_QUERY} characters`, /^[^\0]{1,16384}$/u),
  ...derivedFields,
  maxRows: whole(1, MAX_QUERY_ROWS).default(1_000),
  policy: oneOf(DERIVED_POLICIES).default('delete-after-write'),
  audit: resourceAudit.optional(),
});

/** A resource whose values a loader of a client makes. */
export const computedResource = group({
  computed: setting('true', (input) => (input === true || input === 'true' ? true : undefined)),
  ...derivedFields,
  negativeTtl: duration(100, 365 * DAY_MS).default(30 * SECOND_MS),
  policy: oneOf(COMPUTED_POLICIES).default('delete-after-write'),
});

/** By what makes a resource's values. */
export const RESOURCE_SCHEMAS = {
  table: tableResource,
  query: queryResource,
  computed: computedResource,
};

/** What the fields of a resource describe. */
export function kindOfResource(fields: Record<string, unknown>): keyof typeof RESOURCE_SCHEMAS {
  if (fields['query'] !== undefined) return 'query';
  return fields['computed'] === undefined ? 'table' : 'computed';
}

export const RESOURCE_NAME = /^[A-Za-z][A-Za-z0-9_-]{0,62}$/;

export type GroupName = keyof typeof groups;
export type Groups = { [Name in GroupName]: z.output<(typeof groups)[Name]> };
export type RawResource = z.output<typeof tableResource>;
export type RawQueryResource = z.output<typeof queryResource>;
export type RawComputedResource = z.output<typeof computedResource>;

/** The parameters in order, with their types if given. */
function parseParameters(input: unknown): Map<string, ParameterType | null> | undefined {
  const named: [unknown, unknown][] = Array.isArray(input)
    ? input.map((name: unknown) => [name, null])
    : Object.entries(typeof input === 'object' && input !== null ? input : {});
  const parameters = new Map<string, ParameterType | null>();
  for (const [name, type] of named) {
    const known = PARAMETER_TYPES.find((each) => each === type);
    if (typeof name !== 'string' || !/^[A-Za-z_]\w{0,62}$/.test(name)) return undefined;
    if (parameters.has(name) || (known === undefined && type !== null)) return undefined;
    parameters.set(name, known ?? null);
  }
  return parameters.size >= 1 && parameters.size <= 8 ? parameters : undefined;
}

/** Columns by parameter. */
function parseMapping(input: unknown): Map<string, string> | undefined {
  if (typeof input !== 'object' || input === null || Array.isArray(input)) return undefined;
  const mapping = new Map<string, string>();
  for (const [parameter, column] of Object.entries(input)) {
    const name = parseName(column);
    if (name === undefined) return undefined;
    mapping.set(parameter, name);
  }
  return mapping;
}

/**
 * An origin without a path, because paths are appended to it, and without credentials, because it is stored in a table.
 */
function parseAddress(input: unknown): string | undefined {
  const url = parseUrl(input, ['http', 'https']);
  if (url === undefined || url.length > MAX_ADDRESS_LENGTH) return undefined;
  const { origin, href } = new URL(url);
  return href === `${origin}/` ? origin : undefined;
}

function parseZone(input: unknown): string | undefined {
  return typeof input === 'string' && TimeZone.named(input) !== null ? input : undefined;
}

function parseCron(input: unknown): string | undefined {
  if (typeof input !== 'string') return undefined;
  try {
    return new Cron(input, { paused: true }).nextRun() === null ? undefined : input;
  } catch {
    return undefined;
  }
}
