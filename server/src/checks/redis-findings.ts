/** What an operator wants to know of a Redis server, beyond what decides whether a coordinator starts. */
import type { RedisClient } from '../redis/index.ts';
import type { Finding } from './finding.ts';
import { lookAtRedis, type RedisFacts } from './redis-facts.ts';

/** A cache that evicts nothing refuses writes when it is full. */
const NEARLY_FULL = 0.9;

export interface RedisFindings {
  findings: Finding[];
  /** How far the server's clock is ahead of this machine's, in ms. */
  clockAheadMs: number | null;
}

interface Asked {
  path: string;
  role: 'cache' | 'lock node';
  hasStrict: boolean;
  verifiesIntents: boolean;
  wallMs: () => number;
}

/** @throws the driver's error */
export function redisFindings(url: string, asked: Asked): Promise<RedisFindings> {
  return lookAtRedis(url, async (client, facts) => {
    const clockAheadMs = await clockAhead(client, asked.wallMs);
    const { path } = asked;
    const findings =
      asked.role === 'cache'
        ? [
            ...ofMemory(facts, path),
            ofPersistence(facts, await hasSnapshots(client), asked),
            ...ofReplicas(facts, path),
          ]
        : [];
    return { findings, clockAheadMs };
  });
}

async function clockAhead(client: RedisClient, wallMs: () => number): Promise<number | null> {
  const beforeMs = wallMs();
  const [seconds = 0, micros = 0] = await client.time().catch(() => []);
  if (Number(seconds) === 0) return null;
  return Math.round(Number(seconds) * 1000 + Number(micros) / 1000 - (beforeMs + wallMs()) / 2);
}

/** Null: the account may not ask. */
async function hasSnapshots(client: RedisClient): Promise<boolean | null> {
  try {
    const answer = await client.call('CONFIG', 'GET', 'save');
    return Array.isArray(answer) && String(answer[1] ?? '') !== '';
  } catch {
    return null;
  }
}

function ofMemory({ maxmemoryPolicy, maxmemory, usedMemory }: RedisFacts, area: string): Finding[] {
  if (maxmemory === 0) {
    const message = 'has no memory limit: it grows until the machine has no more';
    return [{ level: 'note', area, message, mend: 'config set maxmemory 2gb (what fits)' }];
  }
  const share = Math.round((usedMemory / maxmemory) * 100);
  if (maxmemoryPolicy === 'noeviction' && usedMemory > NEARLY_FULL * maxmemory) {
    const message = `is ${share}% full and evicts nothing: soon it refuses new entries`;
    const mend = 'config set maxmemory-policy volatile-lru, or a greater maxmemory';
    return [{ level: 'warning', area, message, mend }];
  }
  const message = `uses ${share}% of its memory; ${maxmemoryPolicy} decides what goes when it is full`;
  const mend = maxmemoryPolicy.startsWith('allkeys-')
    ? 'config set maxmemory-policy volatile-lru, before a resource becomes strict'
    : null;
  return [{ level: 'note', area, message, mend }];
}

function ofPersistence(
  { hasAppendOnlyFile }: RedisFacts,
  snapshots: boolean | null,
  { path: area, hasStrict, verifiesIntents }: Asked,
): Finding {
  if (hasAppendOnlyFile) {
    return {
      level: 'note',
      area,
      message: 'logs each command to disk (appendonly yes)',
      mend: null,
    };
  }
  if (snapshots === true) {
    return {
      ...{ level: 'warning', area },
      message:
        'is saved by snapshots only: after a crash it has entries that were invalidated since the last one',
      mend: 'config set appendonly yes, or config set save "" (it then begins empty), and lockstep sweep after a crash until then',
    };
  }
  const what = 'keeps nothing over a restart, and begins empty';
  if (hasStrict && !verifiesIntents) {
    const message = `${what}: a strict write that is under way then loses its intent`;
    return {
      level: 'warning',
      area,
      message,
      mend: 'strict.verifyIntent: true, or config set appendonly yes',
    };
  }
  const message =
    snapshots === null ? 'its persistence cannot be asked (CONFIG is not allowed)' : what;
  return { level: 'note', area, message, mend: null };
}

function ofReplicas({ replicas }: RedisFacts, area: string): Finding[] {
  if (replicas === 0) return [];
  const message = `has ${replicas} replica(s): one that takes over may lack the last writes of this server`;
  return [{ level: 'note', area, message, mend: null }];
}
