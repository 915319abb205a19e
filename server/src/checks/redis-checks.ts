import type { FieldFault } from '@lockstep/shared';
import { type CheckResult, together } from './check-result.ts';
import { isClusterUrl, isSentinelUrl } from '../redis/index.ts';
import { CLUSTER_PATH, type LookedAtCluster, lookAtCluster } from './redis-cluster-checks.ts';
import { unusable } from './connection-cause.ts';
import { lookAtRedis, type RedisFacts, type RedisUnderCheck } from './redis-facts.ts';
import { checkRedisRights } from './redis-rights.ts';
import { cacheStepFaults, lockStepFaults } from './redis-steps.ts';
import { FAILOVER_RISK, lookForMaster, SENTINELS_PATH } from './sentinel-checks.ts';

const LEAST_MAJOR = 7;
const ADVISED_NODES = 3;

/** One check of a Redis server. Add a new one to `REDIS_CHECKS`; `check` and `start` then make it. */
export type RedisCheck = (
  server: RedisUnderCheck,
) => Partial<CheckResult> | Promise<Partial<CheckResult>>;

/** Every check of a single server, in the order in which their lines are printed. */
const REDIS_CHECKS: readonly RedisCheck[] = [
  checkKind,
  checkVersion,
  checkEviction,
  checkReplicas,
  checkRedisRights,
];

type Asked = Pick<RedisUnderCheck, 'hasStrict' | 'hasLocal' | 'keyPrefixes' | 'waitReplicas'>;

type Looked = { result: CheckResult; facts: RedisFacts | null };

/** The Redis servers of a configuration. */
export interface RedisServers {
  /** Null: not checked. */
  cacheUrl: string | null;
  lockUrls: readonly string[];
  /** Lock nodes that vote together. */
  lockGroupSize: number;
}

/** Checks the cache and the lock nodes, each by itself and then together. */
export async function checkRedisServers(
  { cacheUrl, lockUrls, lockGroupSize }: RedisServers,
  asked: Asked,
): Promise<CheckResult> {
  const { hasStrict } = asked;
  const [cache, ...nodes] = await Promise.all([
    cacheUrl === null ? null : lookAtCache(cacheUrl, asked),
    ...lockUrls.map((url, index) => lookAt(url, `locks.nodes.${index}`, 'lock node', asked)),
  ]);
  const cacheFacts = cache?.facts ?? null;
  const cacheNotes =
    cacheFacts === null
      ? []
      : [`cache: Redis ${cacheFacts.version}, maxmemory-policy ${cacheFacts.maxmemoryPolicy}`];
  const areMasters = (looked: readonly (Looked | null | undefined)[]): boolean =>
    looked.every((node) => node?.facts && node.result.faults.length === 0);
  const across =
    lockUrls.length === 0
      ? {}
      : acrossNodes(
          nodes.map((node) => node?.facts ?? null),
          { facts: cacheFacts, path: cachePath(cacheUrl ?? '') },
          { hasStrict, lockGroupSize },
        );
  const steps = await Promise.all([
    cacheUrl !== null && areMasters([cache]) ? cacheStepFaults(cacheUrl, cachePath(cacheUrl)) : [],
    lockUrls.length > 0 && areMasters(nodes) && (across.faults ?? []).length === 0
      ? lockStepFaults(lockUrls, (index) => `locks.nodes.${index}`)
      : [],
  ]);
  return together(
    ...(cache === null || cache === undefined ? [] : [cache.result]),
    { faults: steps.flat() },
    { notes: cacheNotes },
    ofNodes(
      nodes.flatMap((node) => node?.result ?? []),
      lockGroupSize,
    ),
    across,
  );
}

/** Combines the results of the lock nodes. A majority of each group is enough, so `start` does not wait for the rest. */
function ofNodes(results: readonly CheckResult[], groupSize: number): CheckResult {
  const groups: CheckResult[] = [];
  for (let first = 0; first < results.length; first += groupSize) {
    const members = results.slice(first, first + groupSize);
    const all = together(...members);
    const isMajority = members.length - all.absent.length > members.length / 2;
    groups.push(isMajority ? { ...all, absent: [], spare: all.absent } : all);
  }
  return together(...groups);
}

/** A cache that Sentinels watch is checked as the server that is the master now. */
async function lookAtCache(url: string, asked: Asked): Promise<Looked> {
  const path = cachePath(url);
  if (isClusterUrl(url)) return lookAtMembers(url, asked);
  if (!isSentinelUrl(url)) return lookAt(url, path, 'cache', asked);
  const master = await lookForMaster(url, asked);
  if (master.url === null) return { result: together(master.result), facts: null };
  const { result, facts } = await lookAt(master.url, path, 'cache', asked, {
    subject: master.subject,
  });
  if (facts !== null && !facts.isMaster && !facts.isCluster) {
    const message = `${master.subject}is a replica now: a failover has not ended; allowed: a master`;
    return { result: together({ absent: [{ path, message }] }), facts: null };
  }
  return { result: together(master.result, result), facts };
}

/** Each master of a Redis Cluster is checked by itself, and what needs all of them together. */
async function lookAtMembers(url: string, asked: Asked): Promise<Looked> {
  const { masters, result }: LookedAtCluster = await lookAtCluster(url, asked);
  const looked = await Promise.all(
    masters.map(async ({ url: member, subject }) => {
      const { result: ofMaster, facts } = await lookAt(member, CLUSTER_PATH, 'cache', asked);
      return { result: named(ofMaster, subject), facts };
    }),
  );
  const rights =
    masters.length === 0
      ? null
      : await lookAt(url, CLUSTER_PATH, 'cache', asked, { checks: [checkRedisRights] });
  const all = together(result, ...looked.map((each) => each.result), rights?.result ?? {});
  return { result: all, facts: looked[0]?.facts ?? null };
}

/** The lines about one of several servers say which. */
function named({ faults, absent, warnings, ...rest }: CheckResult, subject: string): CheckResult {
  const of = (each: readonly FieldFault[]): FieldFault[] =>
    each.map(({ path, message }) => ({ path, message: `${subject}${message}` }));
  return { ...rest, faults: of(faults), absent: of(absent), warnings: of(warnings) };
}

/** The field that names the cache. */
export function cachePath(url: string): string {
  if (isClusterUrl(url)) return CLUSTER_PATH;
  return isSentinelUrl(url) ? 'cache.sentinels' : 'cache.url';
}

interface LookOptions {
  /** Which server it is, for the line about one that does not answer. */
  subject?: string;
  checks?: readonly RedisCheck[];
}

async function lookAt(
  url: string,
  path: string,
  role: RedisUnderCheck['role'],
  asked: Asked,
  { subject, checks = REDIS_CHECKS }: LookOptions = {},
): Promise<Looked> {
  try {
    return await lookAtRedis(url, async (client, facts) => {
      const results: Partial<CheckResult>[] = [];
      for (const check of checks)
        results.push(await check({ path, role, ...asked, facts, client }));
      return { result: together(...results), facts };
    });
  } catch (error) {
    const allowed = `a reachable Redis or Valkey ${LEAST_MAJOR}+ that lets this user in`;
    return { result: together(unusable(error, url, path, allowed, subject)), facts: null };
  }
}

function checkKind({ facts, path, role }: RedisUnderCheck): Partial<CheckResult> {
  const fault = (message: string): Partial<CheckResult> => ({ faults: [{ path, message }] });
  if (facts.isSentinel) {
    return fault(
      role === 'cache'
        ? 'is a Redis Sentinel, which keeps no entries; allowed: the master’s own address, or Sentinels in cache.sentinels'
        : 'is a Redis Sentinel, which keeps no locks; allowed: a server of its own',
    );
  }
  if (facts.isCluster && path === CLUSTER_PATH) return {};
  if (facts.isCluster) {
    const allowed =
      role === 'cache' ? 'cache.cluster, or a server of its own' : 'a server of its own';
    return fault(`is a node of a Redis Cluster; allowed: ${allowed}`);
  }
  return facts.isMaster ? {} : fault('is a replica; allowed: a master');
}

function checkVersion({ facts: { version }, path }: RedisUnderCheck): Partial<CheckResult> {
  if (Number(version.split('.', 1)[0]) >= LEAST_MAJOR) return {};
  const allowed = `Redis or Valkey ${LEAST_MAJOR} or newer`;
  return { faults: [{ path, message: `is Redis ${version}; allowed: ${allowed}` }] };
}

/** Whether strict holds over a failover: no replica may take over without the intents that were placed. */
function checkReplicas({ facts, path, role, ...asked }: RedisUnderCheck): Partial<CheckResult> {
  const { hasStrict, waitReplicas } = asked;
  if (role === 'lock node' || !hasStrict || !facts.isMaster) return {};
  const has = `has ${facts.replicas} connected replica(s)`;
  const warning = (message: string): Partial<CheckResult> => ({ warnings: [{ path, message }] });
  if (facts.replicas < waitReplicas) {
    return warning(
      `${has}, fewer than cache.waitReplicas (${waitReplicas}): strict writes are refused until the others are back; allowed: start them, or take them out of the set for good and lower cache.waitReplicas`,
    );
  }
  // Of Sentinels this is said whether or not a replica is connected now.
  const isSaid = waitReplicas === 0 && (path === SENTINELS_PATH || path === CLUSTER_PATH);
  if (facts.replicas === waitReplicas || isSaid) return {};
  const advised = `advised: cache.waitReplicas ${facts.replicas}`;
  return warning(
    waitReplicas === 0
      ? `${has}: ${FAILOVER_RISK}; ${advised}`
      : `${has}, more than cache.waitReplicas (${waitReplicas}): one that lacks an intent could take over, so that ${FAILOVER_RISK}; ${advised}`,
  );
}

/** An evicted intent or lock is a lost one. */
function checkEviction(server: RedisUnderCheck): Partial<CheckResult> {
  const { facts, path, role, hasStrict } = server;
  const { maxmemoryPolicy } = facts;
  if (facts.isSentinel || maxmemoryPolicy === 'noeviction') return {};
  if (role === 'lock node') {
    // Locks have an expiry, so every policy but noeviction may evict one that is held.
    const message = `has maxmemory-policy ${maxmemoryPolicy}, which may evict a lock that is held (fences still keep writes apart); advised: noeviction`;
    return { warnings: [{ path, message }] };
  }
  if (!hasStrict || !maxmemoryPolicy.startsWith('allkeys-')) return {};
  const message = `has maxmemory-policy ${maxmemoryPolicy}, which may evict the intent of a strict write; allowed: noeviction, volatile-lru, volatile-lfu, volatile-ttl, volatile-random`;
  return { faults: [{ path, message }] };
}

/** Finds servers that are used twice, by their run ids, because one server may have many names. */
function acrossNodes(
  nodes: readonly (RedisFacts | null)[],
  cache: { facts: RedisFacts | null; path: string },
  { hasStrict, lockGroupSize }: { hasStrict: boolean; lockGroupSize: number },
): Partial<CheckResult> {
  const faults: FieldFault[] = [];
  const warnings: FieldFault[] = [];
  const seen = new Map<string, number>();
  for (const [index, facts] of nodes.entries()) {
    if (facts === null || facts.runId === '') continue;
    const path = `locks.nodes.${index}`;
    const twin = seen.get(facts.runId);
    if (twin === undefined) seen.set(facts.runId, index);
    else {
      const message = `is the same server as locks.nodes.${twin}; allowed: independent servers`;
      faults.push({ path, message });
    }
    if (facts.runId === cache.facts?.runId && twin === undefined) {
      const message = `is the same server as ${cache.path}, so that both are down together; advised: a separate server`;
      warnings.push({ path, message });
    }
  }
  const groups = Math.ceil(nodes.length / lockGroupSize);
  const notes = [`lock nodes: ${nodes.length}${groups > 1 ? `, in ${groups} groups` : ''}`];
  if (hasStrict && lockGroupSize < ADVISED_NODES) {
    notes.push(`lock nodes: ${ADVISED_NODES} or more are advised, so that one may be down`);
  }
  return { faults, warnings, notes };
}
