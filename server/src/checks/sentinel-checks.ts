/** What is wrong with the Sentinels of a cache, and what a cache that can fail over means. */
import type { FieldFault } from '@lockstep/shared';
import {
  type FoundMaster,
  findMaster,
  NoMaster,
  parseSentinelUrl,
  serverOfSet,
} from '../redis/index.ts';
import type { CheckResult } from './check-result.ts';
import { causeOf, unusable } from './connection-cause.ts';
import type { RedisUnderCheck } from './redis-facts.ts';

const TIMEOUT_MS = 2_000;
export const SENTINELS_PATH = 'cache.sentinels';
const ALLOWED = 'Sentinels that know the master of cache.name and let this user ask';

/** `check`, a start and `/readyz?verbose` say it in these words. */
export const FAILOVER_RISK =
  'a failover may lose the last writes of the cache: until the sweep that follows it has ended, a strict read can be older than an acknowledged write';

/** The cache's master; null if the Sentinels name none. */
export interface LookedForMaster {
  /** The URL of that server alone. */
  url: string | null;
  /** Which server it is, for the lines about it. */
  subject: string;
  result: Partial<CheckResult>;
}

/** @param url of a set of Sentinels. Never rejects */
export async function lookForMaster(
  url: string,
  { hasStrict, waitReplicas }: Pick<RedisUnderCheck, 'hasStrict' | 'waitReplicas'>,
): Promise<LookedForMaster> {
  const set = parseSentinelUrl(url);
  try {
    const found = await findMaster(set, TIMEOUT_MS);
    const { host, port } = found.master;
    const notes = [`cache: ${host}:${port} is the master ${set.name}, of ${namedBy(found)}`];
    const warnings = hasStrict && waitReplicas === 0 ? [risk()] : [];
    const result = { notes, warnings, spare: faultsOfSome(found, url) };
    return {
      url: serverOfSet(found.master, set),
      subject: `the master (${host}:${port}) `,
      result,
    };
  } catch (error) {
    return { url: null, subject: '', result: noMaster(error, url, set.name) };
  }
}

const risk = (): FieldFault => ({
  path: SENTINELS_PATH,
  message: `${FAILOVER_RISK}; advised: cache.waitReplicas, with the number of the master’s replicas`,
});

const namedBy = ({ answers }: FoundMaster): string => {
  const naming = answers.filter((answer) => typeof answer === 'object' && 'epoch' in answer);
  return `${naming.length} of ${answers.length} Sentinels`;
};

/** Some Sentinels are enough. */
function faultsOfSome({ answers }: FoundMaster, url: string): FieldFault[] {
  return answers.flatMap((answer, index): FieldFault[] => {
    const path = `${SENTINELS_PATH}.${index}`;
    if (answer === 'unknown')
      return [{ path, message: `does not know the master of cache.name; allowed: ${ALLOWED}` }];
    if (!(answer instanceof Error)) return [];
    return [{ path, message: `${causeOf(answer, url).words}; allowed: ${ALLOWED}` }];
  });
}

function noMaster(error: unknown, url: string, name: string): Partial<CheckResult> {
  const why = error instanceof NoMaster ? error.why : 'silent';
  if (why === 'unknown') {
    const message = `is ${name}, which no Sentinel of cache.sentinels knows; allowed: a name after “sentinel monitor” in their configuration`;
    return { faults: [{ path: 'cache.name', message }] };
  }
  const cause = error instanceof NoMaster ? (error.cause ?? error) : error;
  if (why === 'refused' && /unknown command/i.test(String(cause))) {
    const message = `hold a Redis server that is no Sentinel; allowed: ${ALLOWED}`;
    return { faults: [{ path: SENTINELS_PATH, message }] };
  }
  const subject = why === 'refused' ? 'a Sentinel ' : 'no Sentinel answers; the first ';
  return unusable(cause, url, SENTINELS_PATH, ALLOWED, subject);
}
