import type { FieldFault } from '@lockstep/shared';
import type { CheckResult } from './check-result.ts';
import { readRedisFacts, type RedisFacts } from './redis-facts.ts';
import { cacheStepFaults, lockStepFaults } from './check-redis-steps.ts';
import { lineOf } from './line-of.ts';

const LEAST_MAJOR = 7;
const ADVISED_NODES = 3;

/** Whether the cache answers, is new enough, and never evicts an intent of a strict write. */
export async function checkCache(url: string, hasStrict: boolean): Promise<CheckResult> {
  const path = 'cache.url';
  const facts = await factsOf(url, path);
  if ('fault' in facts) return { faults: [facts.fault], notes: [] };
  const faults = serverFaults(facts, path);
  if (faults.length === 0) faults.push(...(await cacheStepFaults(url, path)));
  const { version, maxmemoryPolicy } = facts;
  if (hasStrict && maxmemoryPolicy.startsWith('allkeys-')) {
    faults.push({
      path,
      message: `has maxmemory-policy ${maxmemoryPolicy}, which may evict the intent of a strict write; allowed: noeviction, volatile-lru, volatile-lfu, volatile-ttl, volatile-random`,
    });
  }
  return { faults, notes: [`cache: Redis ${version}, maxmemory-policy ${maxmemoryPolicy}`] };
}

/** Whether every lock node answers, and each is a master of its own. */
export async function checkLockNodes(
  urls: readonly string[],
  hasStrict: boolean,
): Promise<CheckResult> {
  const all = await Promise.all(urls.map((url, index) => factsOf(url, `locks.nodes.${index}`)));
  const faults: FieldFault[] = [];
  const seen = new Map<string, number>();
  for (const [index, facts] of all.entries()) {
    const path = `locks.nodes.${index}`;
    if ('fault' in facts) {
      faults.push(facts.fault);
      continue;
    }
    faults.push(...serverFaults(facts, path));
    const twin = seen.get(facts.runId);
    if (twin !== undefined) {
      faults.push({
        path,
        message: `is the same server as locks.nodes.${twin}; allowed: independent servers`,
      });
    }
    seen.set(facts.runId, index);
  }
  if (faults.length === 0) {
    faults.push(...(await lockStepFaults(urls, (index) => `locks.nodes.${index}`)));
  }
  const notes = [`lock nodes: ${urls.length}`];
  if (hasStrict && urls.length < ADVISED_NODES) {
    notes.push(`lock nodes: ${ADVISED_NODES} or more are advised, so that one may be down`);
  }
  return { faults, notes };
}

async function factsOf(url: string, path: string): Promise<RedisFacts | { fault: FieldFault }> {
  try {
    return await readRedisFacts(url);
  } catch (error) {
    const message = `does not answer: ${lineOf(error)}; allowed: a reachable Redis or Valkey ${LEAST_MAJOR}+`;
    return { fault: { path, message } };
  }
}

function serverFaults({ version, isMaster, isCluster }: RedisFacts, path: string): FieldFault[] {
  const faults: FieldFault[] = [];
  if (Number(version.split('.', 1)[0]) < LEAST_MAJOR) {
    faults.push({
      path,
      message: `is Redis ${version}; allowed: Redis or Valkey ${LEAST_MAJOR} or newer`,
    });
  }
  if (!isMaster) faults.push({ path, message: 'is a replica; allowed: a master' });
  if (isCluster)
    faults.push({ path, message: 'is a node of a Redis Cluster; allowed: a server of its own' });
  return faults;
}
