import { rulesOf } from '../domain/index.ts';
import { readFile } from 'node:fs/promises';
import { resolve } from 'node:path';
import type { FieldFault } from '@lockstep/shared';
import type { z } from 'zod';
import type {
  CaptureMode,
  ChangeLogConfig,
  Config,
  DatabaseConfig,
  ResourceConfig,
} from './config.ts';
import { ConfigError } from './config-error.ts';
import {
  dependencyFaults,
  resolveComputed,
  resolveQuery,
  unwrittenTables,
} from './resolve-derived.ts';
import { resolveResource } from './resolve-resource.ts';
import { resolveRouting } from './resolve-routing.ts';
import { resolveTls } from './resolve-tls.ts';
import {
  clientOf,
  resolveCache,
  resolveDatabase,
  resolveLocks,
  type Faults,
} from './resolve-servers.ts';
import {
  computedResource,
  type Groups,
  groups,
  kindOfResource,
  queryResource,
  RESOURCE_NAME,
  tableResource,
} from './schema.ts';
import { show, showName } from './settings.ts';
import { unsupportedFaults } from './unsupported.ts';

/** The most resources in one configuration. */
const MAX_RESOURCES = 500;
const LEAST_POOL_WITH_LOG = 3;

/**
 * The configuration that `raw` describes, with every default, frozen. Paths of files are relative to `baseDir`.
 * @throws ConfigError with all faults: of single fields, of fields that do not fit together, and of fields that this
 *   version does not support yet
 */
export async function resolveConfig(raw: unknown, baseDir: string): Promise<Config> {
  const faults: Faults = [];
  const root = asRecord(raw ?? {});
  if (root === undefined) {
    throw new ConfigError([
      { path: '', message: `the configuration is ${show(raw)}; allowed: an object` },
    ]);
  }
  faults.push(...unknownGroups(root));
  const parsed = await resolveTls(parseGroups(root, faults), baseDir, faults);
  const resources = parseResources(root['resources'], parsed, faults);
  const database = parsed.database && resolveDatabase(parsed.database, parsed.locks?.ttl, faults);
  const isExternal = database?.mode === 'external';
  const cache = parsed.cache && resolveCache(parsed.cache, isExternal, faults);
  const locks = parsed.locks && resolveLocks(parsed.locks, isExternal, faults);
  if (parsed.listen && parsed.auth) checkOpenAccess(parsed.listen.host, parsed.auth.mode, faults);
  if (parsed.auth) checkTokens(parsed.auth.tokens, faults);
  const initSql = parsed.database?.initSql;
  const withSql = database && (await readInitSql(database, initSql, baseDir, faults));
  if (!(withSql && cache && locks && isWhole(parsed))) throw new ConfigError(faults);
  const { listen, leases, guards, strict, changeLog, invalidations, routing, auth, limits, log } =
    parsed;
  const { host, port, drainDelay: drainDelayMs = null } = listen;
  const captured = resolveCapture(
    parsed.database.capture,
    changeLog.mode,
    withSql,
    resources,
    faults,
  );
  const config: Config = {
    listen: { host, port, drainDelayMs },
    database: { ...withSql, capture: captured.capture },
    cache,
    locks,
    leases: { max: leases.max, maxTtlMs: leases.maxTtl, maxLifeMs: leases.maxLife },
    guards: { max: guards.max, maxTtlMs: guards.maxTtl },
    strict,
    changeLog: resolveChangeLog(changeLog, captured.mode, withSql, faults),
    invalidations: { pollMs: invalidations.poll },
    routing: resolveRouting(routing, listen, auth, faults),
    auth: {
      mode: auth.mode,
      origins: auth.origins,
      tokens: {
        service: auth.tokens.service ?? null,
        admin: auth.tokens.admin ?? null,
        metrics: auth.tokens.metrics ?? null,
      },
    },
    ...{ limits, log, resources },
  };
  faults.push(
    ...dependencyFaults(resources, config.database.capture !== 'off'),
    ...unsupportedFaults(config),
  );
  if (faults.length > 0) throw new ConfigError(faults);
  return deepFreeze(config);
}

/** Whether every group was parsed; the defaults of audits may be missing. */
const isWhole = (parsed: Partial<Groups>): parsed is Partial<Groups> & Omit<Groups, 'audit'> =>
  Object.keys(groups).every((name) => name === 'audit' || name in parsed);

/** The groups without a fault. */
function parseGroups(root: Record<string, unknown>, faults: Faults): Partial<Groups> {
  const parsed = Object.entries(groups).flatMap(([name, schema]) => {
    const data: unknown = parse(schema, root, name, faults);
    return data === undefined ? [] : [[name, data]];
  });
  return Object.fromEntries(parsed) as Partial<Groups>;
}

function parse<Schema extends z.ZodType>(
  schema: Schema,
  parent: Record<string, unknown>,
  name: string,
  faults: Faults,
  path = name,
): z.output<Schema> | undefined {
  const result = schema.safeParse(parent[name] ?? {});
  if (result.success) return result.data;
  for (const issue of result.error.issues) faults.push(...issueFaults(issue, path));
  return undefined;
}

function issueFaults(issue: z.core.$ZodIssue, path: string): FieldFault[] {
  const at = [path, ...issue.path.map(String)].join('.');
  if (issue.code !== 'unrecognized_keys') return [{ path: at, message: issue.message }];
  return issue.keys.map((key) => ({ path: `${at}.${showName(key)}`, message: issue.message }));
}

function parseResources(
  raw: unknown,
  parsed: Partial<Groups>,
  faults: Faults,
): Config['resources'] {
  const record = asRecord(raw ?? {});
  if (record === undefined) {
    faults.push({
      path: 'resources',
      message: `is ${show(raw)}; allowed: an object of resources by name`,
    });
    return [];
  }
  const entries = Object.entries(record);
  if (entries.length > MAX_RESOURCES) {
    faults.push({
      path: 'resources',
      message: `has ${entries.length} resources; allowed: at most ${MAX_RESOURCES}`,
    });
    return [];
  }
  return entries.flatMap(([name]) => {
    if (!RESOURCE_NAME.test(name)) {
      faults.push({
        path: `resources.${showName(name)}`,
        message:
          'is not a name for a resource; allowed: a letter, then at most 62 letters, digits, - and _',
      });
      return [];
    }
    return resolveOne(name, record, parsed.audit, faults) ?? [];
  });
}

/** Undefined if it has faults, which are reported. */
function resolveOne(
  name: string,
  record: Record<string, unknown>,
  audits: Groups['audit'] | undefined,
  faults: Faults,
): ResourceConfig | undefined {
  const path = `resources.${name}`;
  switch (kindOfResource(asRecord(record[name]) ?? {})) {
    case 'query': {
      const query = parse(queryResource, record, name, faults, path);
      return query && resolveQuery(name, query, audits, faults);
    }
    case 'computed': {
      const computed = parse(computedResource, record, name, faults, path);
      return computed && resolveComputed(name, computed, faults);
    }
    case 'table': {
      const table = parse(tableResource, record, name, faults, path);
      return table && resolveResource(name, table, audits, faults);
    }
  }
}

function unknownGroups(root: Record<string, unknown>): FieldFault[] {
  const known = [...Object.keys(groups), 'resources'];
  return Object.keys(root)
    .filter((name) => !known.includes(name))
    .map((name) => ({
      path: showName(name),
      message: `is not known; allowed: ${known.join(', ')}`,
    }));
}

function checkOpenAccess(host: string, mode: 'required' | 'off', faults: Faults): void {
  if (mode === 'required' || isLoopback(host)) return;
  faults.push({
    path: 'auth.mode',
    message: `is "off" while listen.host is no loopback address; allowed: off only on a loopback address (127.0.0.1, ::1, localhost)`,
  });
}

/**
 * How changes by other programs are noticed. If `database.capture` is left out, the change log is on if a resource needs
 * it, unless `changeLog.mode` is set.
 */
function resolveCapture(
  asked: Groups['database']['capture'],
  mode: Groups['changeLog']['mode'],
  database: DatabaseConfig,
  resources: Config['resources'],
  faults: Faults,
): { capture: CaptureMode; mode: ChangeLogConfig['mode'] } {
  const needing = resources.find((each) => rulesOf(each).relatedBy === 'change-log');
  const isNeeded = needing !== undefined || unwrittenTables(resources).length > 0;
  const capture = asked ?? ((mode ?? (isNeeded ? 'on' : 'off')) === 'on' ? 'log' : 'off');
  const isLog = capture === 'log';
  if (mode !== undefined && isLog !== (mode === 'on')) {
    faults.push({
      path: 'database.capture',
      message: `is "${capture}" while changeLog.mode is ${mode}; allowed: log with on, triggers or off with off`,
    });
  }
  if (capture === 'triggers' && database.mode === 'embedded') {
    faults.push({
      path: 'database.capture',
      message:
        'is "triggers" for the embedded database, whose change log can be followed; allowed: log, off',
    });
  }
  if (capture === 'off' && needing !== undefined) {
    const [path, allowed] =
      asked === undefined ? ['changeLog.mode', 'on'] : ['database.capture', 'log, triggers'];
    const message = `is "off" while the policy of ${needing.name} is change-log; allowed: ${allowed}`;
    faults.push({ path, message });
  }
  return { capture, mode: isLog ? 'on' : 'off' };
}

function resolveChangeLog(
  raw: Groups['changeLog'],
  mode: ChangeLogConfig['mode'],
  database: DatabaseConfig,
  faults: Faults,
): ChangeLogConfig {
  const { connection = null, slot = null, serverId = null } = raw;
  const { publication, behindAfter: behindAfterMs } = raw;
  if (
    connection !== null &&
    (database.mode === 'embedded' || clientOf(connection) !== database.client)
  ) {
    faults.push({
      path: 'changeLog.connection',
      message:
        'leads to another kind of database than database.connection; allowed: the same database, without a pooler',
    });
  }
  const poolMax = database.pool.max;
  if (mode === 'on' && poolMax < LEAST_POOL_WITH_LOG) {
    faults.push({
      path: 'database.pool.max',
      message: `is ${poolMax} while the change log, which keeps one connection, is on; allowed: at least ${LEAST_POOL_WITH_LOG}`,
    });
  }
  return { mode, connection, slot, publication, serverId, behindAfterMs };
}

function checkTokens(tokens: Groups['auth']['tokens'], faults: Faults): void {
  const names = ['admin', 'service', 'metrics'] as const;
  for (const [at, name] of names.entries()) {
    const same = names
      .slice(0, at)
      .find((other) => tokens[name] !== undefined && tokens[other] === tokens[name]);
    if (same === undefined) continue;
    const message = `is the same as the ${same} token; allowed: a different token`;
    faults.push({ path: `auth.tokens.${name}`, message });
  }
}

/** Whether a server that listens on `host` can be reached only from this machine. */
function isLoopback(host: string): boolean {
  return /^(localhost|127(\.\d{1,3}){3}|\[?::1\]?)$/i.test(host);
}

async function readInitSql(
  database: DatabaseConfig,
  file: string | undefined,
  baseDir: string,
  faults: Faults,
): Promise<DatabaseConfig> {
  if (database.mode !== 'embedded' || file === undefined) return database;
  const path = resolve(baseDir, file);
  try {
    return { ...database, initSql: { path, text: await readFile(path, 'utf8') } };
  } catch (error) {
    const reason = error instanceof Error && 'code' in error ? String(error.code) : 'unknown';
    faults.push({
      path: 'database.initSql',
      message: `the file that it names cannot be read (${reason}); allowed: the path of an SQL file`,
    });
    return database;
  }
}

function asRecord(value: unknown): Record<string, unknown> | undefined {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
    ? (value as Record<string, unknown>)
    : undefined;
}

function deepFreeze<T>(value: T): T {
  if (typeof value === 'object' && value !== null && !Object.isFrozen(value)) {
    Object.freeze(value);
    for (const inner of Object.values(value)) deepFreeze(inner);
  }
  return value;
}
