/** What is wrong with a Redis Cluster as a whole, and where its masters are. */
import type { FieldFault } from '@lockstep/shared';
import { memberUrl, namedMember, parseClusterUrl } from '../redis/index.ts';
import type { CheckResult } from './check-result.ts';
import { unusable } from './connection-cause.ts';
import { lookAtRedis, type RedisUnderCheck } from './redis-facts.ts';
import { FAILOVER_RISK } from './sentinel-checks.ts';

export const CLUSTER_PATH = 'cache.cluster';
const SLOTS = 16_384;
const ALLOWED = 'reachable members of a Redis or Valkey Cluster that let this user in';

export interface LookedAtCluster {
  /** `subject`: which server it is, for the lines about it. */
  masters: { url: string; subject: string }[];
  result: Partial<CheckResult>;
}

/** What one member says of the whole. */
interface Told {
  state: string;
  /** `host:port` of the masters that have slots. */
  masters: string[];
  slots: number;
  hasReplicas: boolean;
}

/** @param url of a Cluster. Never rejects */
export async function lookAtCluster(
  url: string,
  asked: Pick<RedisUnderCheck, 'hasStrict' | 'waitReplicas'>,
): Promise<LookedAtCluster> {
  const { members, ...credentials } = parseClusterUrl(url);
  const faults: FieldFault[] = [];
  let failure: unknown = null;
  for (const [index, member] of members.entries()) {
    const path = `${CLUSTER_PATH}.${index}`;
    try {
      const told = await askMember(memberUrl(member, credentials), member.host);
      if (told === null) {
        const message = 'is no member of a Redis Cluster; allowed: members of one, or cache.url';
        return { masters: [], result: { faults: [{ path, message }] } };
      }
      const masters = told.masters.map((name) => ({
        url: memberUrl(namedMember(name), credentials),
        subject: `the master ${name} `,
      }));
      return { masters, result: { ...verdictOn(told, asked), spare: faults } };
    } catch (error) {
      failure ??= error;
      const { absent = [], faults: wrong = [] } = unusable(error, url, path, ALLOWED);
      faults.push(...absent, ...wrong);
    }
  }
  return {
    masters: [],
    result: unusable(failure, url, CLUSTER_PATH, ALLOWED, 'no member answers: '),
  };
}

/** Null: the server is no member of a Cluster. @throws the driver's error */
function askMember(url: string, host: string): Promise<Told | null> {
  return lookAtRedis(url, async (client, facts) => {
    if (!facts.isCluster) return null;
    const info = String(await client.call('CLUSTER', 'INFO'));
    const ranges = await client.call('CLUSTER', 'SLOTS');
    // Also those that are away, or not synchronized yet.
    const hasReplicas = /\bslave\b/.test(String(await client.call('CLUSTER', 'NODES')));
    const masters = new Set<string>();
    let slots = 0;
    for (const range of Array.isArray(ranges) ? ranges : []) {
      const [first, last, master] = range as [number, number, unknown];
      const [named, port] = Array.isArray(master) ? (master as unknown[]) : [];
      // A member that does not know its own address names none.
      masters.add(`${String(named ?? '') || host}:${String(port)}`);
      slots += Number(last) - Number(first) + 1;
    }
    const state = /cluster_state:(\w+)/.exec(info)?.[1] ?? 'unknown';
    return { state, masters: [...masters], slots, hasReplicas };
  });
}

function verdictOn(
  { state, masters, slots, hasReplicas }: Told,
  { hasStrict, waitReplicas }: Pick<RedisUnderCheck, 'hasStrict' | 'waitReplicas'>,
): Partial<CheckResult> {
  const notes = [`cache: a Redis Cluster of ${masters.length} masters`];
  if (state !== 'ok' || slots < SLOTS) {
    const message = `is a Cluster that does not serve all keys (its state is ${state}, ${slots} of ${SLOTS} slots have a master); allowed: one whose cluster_state is ok`;
    return { notes, absent: [{ path: CLUSTER_PATH, message }] };
  }
  const advised = 'advised: cache.waitReplicas, with the number of replicas of each master';
  return hasStrict && hasReplicas && waitReplicas === 0
    ? { notes, warnings: [{ path: CLUSTER_PATH, message: `${FAILOVER_RISK}; ${advised}` }] }
    : { notes };
}
