import type { FieldFault } from '@lockstep/shared';
import { DATABASE_CLIENTS, type DatabaseClient, DIALECTS } from '../dialects/index.ts';
import type { CacheConfig, DatabaseConfig, LocksConfig, SentinelCache } from './config.ts';
import { type Groups, MAX_LOCK_GROUP } from './schema.ts';
import { formatDuration, SECOND_MS } from './settings.ts';

export type Faults = FieldFault[];

/** The embedded database is PostgreSQL. */
const EMBEDDED_CLIENT = 'pg';
/** With three lock nodes, one may be down. */
const EMBEDDED_LOCK_NODES = 3;
const MAX_DEFAULT_STATEMENT_MS = 3 * SECOND_MS;

export function resolveDatabase(
  raw: Groups['database'],
  lockTtlMs: number | undefined,
  faults: Faults,
): DatabaseConfig {
  const { pool, acquireTimeout: acquireTimeoutMs, timeZone } = raw;
  if (pool.min > pool.max) {
    faults.push({
      path: 'database.pool.min',
      message: `is ${pool.min}; allowed: at most pool.max (${pool.max})`,
    });
  }
  const limits = {
    // Where the field is left out, the change log decides: see `resolveCapture`.
    capture: raw.capture ?? 'off',
    pool,
    acquireTimeoutMs,
    timeZone,
    statementTimeoutMs: statementTimeout(raw, lockTtlMs, faults),
  };
  if (!isExternal(raw.mode, raw.connection !== undefined)) {
    for (const name of ['connection', 'replicas'] as const) {
      if (raw[name] !== undefined) faults.push(notWith('database', name, 'embedded'));
    }
    if (raw.client !== undefined && raw.client !== EMBEDDED_CLIENT) {
      faults.push({
        path: 'database.client',
        message: `is "${raw.client}" with no connection; allowed: ${EMBEDDED_CLIENT} for the embedded database, or set database.connection`,
      });
    }
    return { ...limits, mode: 'embedded', client: EMBEDDED_CLIENT, initSql: null };
  }
  if (raw.initSql !== undefined) faults.push(notWith('database', 'initSql', 'external'));
  if (raw.connection === undefined) {
    faults.push({
      path: 'database.connection',
      message: 'is missing; allowed: a URL such as postgres://user:password@host:5432/name',
    });
  }
  const connection = raw.connection ?? '';
  const implied = clientOf(connection);
  const client = raw.client ?? implied;
  if (client !== implied && connection !== '') {
    faults.push({
      path: 'database.client',
      message: `is "${client}" while the connection’s URL is one for ${implied}; allowed: ${implied}`,
    });
  }
  const replicas = raw.replicas ?? [];
  if (replicas.some((url) => url === connection || clientOf(url) !== client)) {
    faults.push({
      path: 'database.replicas',
      message: `holds the primary, or a URL that is none for ${client}; allowed: replicas of database.connection`,
    });
  }
  return { ...limits, mode: 'external', client, connection, replicas };
}

function statementTimeout(
  raw: Groups['database'],
  lockTtlMs: number | undefined,
  faults: Faults,
): number {
  const ttlMs = lockTtlMs ?? Infinity;
  const timeoutMs =
    raw.statementTimeout ?? Math.min(MAX_DEFAULT_STATEMENT_MS, Math.floor(ttlMs / 2));
  if (timeoutMs >= ttlMs) {
    faults.push({
      path: 'database.statementTimeout',
      message: `is ${formatDuration(timeoutMs)}; allowed: shorter than locks.ttl (${formatDuration(ttlMs)})`,
    });
  }
  return timeoutMs;
}

/** The client that the scheme of a connection URL stands for. */
export const clientOf = (connection: string): DatabaseClient =>
  DATABASE_CLIENTS.find((client) =>
    DIALECTS[client].urlSchemes.some((scheme) => connection.startsWith(`${scheme}:`)),
  ) ?? EMBEDDED_CLIENT;

/** Whether a group names external servers. */
const isExternal = (mode: string | undefined, isNamed: boolean): boolean =>
  mode === 'external' || (mode === undefined && isNamed);

/**
 * Each coordinator starts its own embedded servers. With a database that several coordinators can share, they must be
 * configured explicitly and not be the result of a missing group: writes through one coordinator would leave old
 * entries in the caches of the others.
 */
function leftOut(group: 'cache' | 'locks', allowed: string): FieldFault {
  return {
    path: group,
    message: `is left out beside an external database: each coordinator would start its own, and strict reads through one would miss the writes of another; allowed: ${allowed}, or mode: embedded where there is one coordinator only`,
  };
}

export function resolveCache(
  raw: Groups['cache'],
  isDatabaseExternal: boolean,
  faults: Faults,
): CacheConfig {
  const { commandTimeout: commandTimeoutMs, waitReplicas } = raw;
  const common = { commandTimeoutMs, waitReplicas };
  if (raw.sentinels === undefined) {
    for (const name of ONLY_WITH_SENTINELS)
      if (raw[name] !== undefined) faults.push(withoutSentinels(name));
  }
  const given = (['url', 'cluster', 'sentinels'] as const).filter(
    (name) => raw[name] !== undefined,
  );
  if (!isExternal(raw.mode, given.length > 0)) {
    if (isDatabaseExternal && raw.mode === undefined)
      faults.push(leftOut('cache', 'url (redis://host:6379/0)'));
    for (const name of given) faults.push(notWith('cache', name, 'embedded'));
    if (waitReplicas > 0) faults.push(notWith('cache', 'waitReplicas', 'embedded'));
    return { ...common, mode: 'embedded' };
  }
  for (const name of given.slice(1)) {
    faults.push({
      path: `cache.${name}`,
      message: `is set as well as ${given[0]}; allowed: one of url, cluster, sentinels`,
    });
  }
  if (raw.url !== undefined) return { ...common, mode: 'single', url: raw.url };
  if (raw.cluster !== undefined) {
    clusterFaults(raw.cluster, faults);
    return { ...common, mode: 'cluster', nodes: raw.cluster };
  }
  if (raw.sentinels !== undefined)
    return { ...common, mode: 'sentinel', ...resolveSentinels(raw, raw.sentinels, faults) };
  faults.push({
    path: 'cache.url',
    message: 'is missing; allowed: a URL such as redis://user:password@host:6379/0',
  });
  return { ...common, mode: 'embedded' };
}

function clusterFaults(nodes: readonly string[], faults: Faults): void {
  const fault = (message: string): void => void faults.push({ path: 'cache.cluster', message });
  const urls = nodes.map((url) => new URL(url));
  if (urls.some(({ protocol }) => protocol !== 'redis:'))
    fault(
      'holds a rediss:// URL: TLS to a Redis Cluster is not in this version; allowed: redis://host:6379',
    );
  if (urls.some(({ pathname, search }) => !['', '/', '/0'].includes(pathname) || search !== ''))
    fault(
      'holds a URL with more than an address; allowed: redis://user:password@host:6379 (a Cluster has one database)',
    );
  if (new Set(urls.map(({ username, password }) => `${username}:${password}`)).size > 1)
    fault('holds URLs with different users or passwords; allowed: the same in each');
}

const ONLY_WITH_SENTINELS = ['name', 'username', 'password', 'database'] as const;

const withoutSentinels = (name: (typeof ONLY_WITH_SENTINELS)[number]): FieldFault => ({
  path: `cache.${name}`,
  message:
    name === 'name'
      ? 'goes with cache.sentinels only; allowed: sentinels beside it, or no name'
      : 'goes with cache.sentinels only; allowed: the same in cache.url (redis://user:password@host:6379/0)',
});

function resolveSentinels(
  raw: Groups['cache'],
  sentinels: readonly string[],
  faults: Faults,
): SentinelCache {
  const fault = (path: string, message: string): void =>
    void faults.push({ path: `cache.${path}`, message });
  if (raw.name === undefined)
    fault('name', 'is missing; allowed: the name of the sentinels’ master');
  if (raw.username !== undefined && raw.password === undefined)
    fault('password', 'is missing beside cache.username; allowed: the password of that user');
  const urls = sentinels.map((url) => new URL(url));
  if (urls.some(({ protocol }) => protocol !== 'redis:'))
    fault(
      'sentinels',
      'holds a rediss:// URL: TLS to Sentinels is not in this version; allowed: redis://host:26379',
    );
  if (urls.some(({ pathname, search }) => !['', '/', '/0'].includes(pathname) || search !== ''))
    fault(
      'sentinels',
      'holds a URL with more than an address; allowed: redis://host:26379, and the number of the master’s database in cache.database',
    );
  if (new Set(urls.map(({ username, password }) => `${username}:${password}`)).size > 1)
    fault(
      'sentinels',
      'holds URLs with different users or passwords; allowed: the same in each (the master’s own are cache.username and cache.password)',
    );
  const { name = '', username = null, password = null, database = 0 } = raw;
  return { sentinels, name, username, password, database };
}

export function resolveLocks(
  raw: Groups['locks'],
  isDatabaseExternal: boolean,
  faults: Faults,
): LocksConfig {
  const common = {
    ttlMs: raw.ttl,
    waitTimeoutMs: raw.waitTimeout,
    maxProcessLockMs: raw.maxTenure,
    maxProcessLockHolds: raw.maxTenureTurns,
    maxHoldMs: raw.maxTurn,
  };
  if (raw.maxTenure >= raw.ttl) {
    faults.push({
      path: 'locks.maxTenure',
      message: `is ${formatDuration(raw.maxTenure)}; allowed: shorter than locks.ttl (${formatDuration(raw.ttl)})`,
    });
  }
  if (!isExternal(raw.mode, raw.nodes !== undefined)) {
    if (isDatabaseExternal && raw.mode === undefined)
      faults.push(leftOut('locks', 'nodes (three Redis URLs are advised)'));
    if (raw.nodes !== undefined) faults.push(notWith('locks', 'nodes', 'embedded'));
    if (raw.groupSize !== undefined) faults.push(notWith('locks', 'groupSize', 'embedded'));
    const nodeCount = EMBEDDED_LOCK_NODES;
    return { ...common, mode: 'embedded', nodeCount, groupSize: nodeCount };
  }
  if (raw.nodes === undefined) {
    faults.push({
      path: 'locks.nodes',
      message: `is missing; allowed: 1 to ${MAX_LOCK_GROUP} Redis URLs, three advised`,
    });
  }
  const { nodes = [] } = raw;
  return { ...common, mode: 'external', nodes, groupSize: lockGroupSize(raw, nodes, faults) };
}

function lockGroupSize(raw: Groups['locks'], nodes: readonly string[], faults: Faults): number {
  const count = nodes.length;
  const { groupSize } = raw;
  if (groupSize === undefined) {
    if (count > MAX_LOCK_GROUP) {
      faults.push({
        path: 'locks.nodes',
        message: `has ${count} nodes that would all vote on each lock; allowed: at most ${MAX_LOCK_GROUP}, or locks.groupSize (3 advised) beside them`,
      });
    }
    return Math.max(1, count);
  }
  if (count % groupSize !== 0) {
    faults.push({
      path: 'locks.groupSize',
      message: `is ${groupSize} with ${count} lock nodes; allowed: a number that divides them into groups of the same size`,
    });
  }
  return groupSize;
}

const notWith = (group: string, name: string, mode: string): FieldFault => ({
  path: `${group}.${name}`,
  message: `does not go with mode: ${mode}; allowed: one of the two`,
});
