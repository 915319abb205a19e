import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { decodeEntry } from '@lockstep/shared';
import { eventually } from '@lockstep/testkit/poll';
import { SeededRandom } from '@lockstep/testkit/seeded-random';
import { startRedis, type TestServer } from '@lockstep/testkit/servers';
import { ComputedLeases } from '../../../client/src/computed-leases.ts';
import type { EntryPlace } from '../../../client/src/ports.ts';
import type { ReadLeases } from '../../../client/src/ports.ts';
import { RedisConnection } from '../../../client/src/redis-connection.ts';
import { MemoryCache } from '../servers/memory-cache.ts';
import { cachePortOn } from './cache-port.ts';

const SERVER_ID = 'the cache';
const OWNER = 'simulated/card#0123456789ab';
const KEYS = ['card:1', 'card:2'];
const LEASES = ['a', 'b', 'c'];
/** Longer than the test: no entry ends in it by itself. */
const LONG_MS = 3_600_000;
const STEPS = 400;

let server: TestServer;
let connection: RedisConnection;

beforeAll(async () => {
  server = await startRedis();
  connection = new RedisConnection({
    ...{ redis: server.url, timeoutMs: 5_000 },
    serverId: () => SERVER_ID,
  });
  await eventually(() => Promise.resolve(expect(connection.client.status).toBe('ready')));
  await connection.client.set('lockstep:server', SERVER_ID);
  // A look that began before the id was there says that it is another server.
  await eventually(async () => {
    await connection.verify();
    expect(connection.isUp).toBe(true);
  });
});
afterAll(async () => {
  connection.close();
  await server.stop();
});

type Step = (leases: ReadLeases) => Promise<unknown>;

function drawStep(random: SeededRandom): Step {
  const place: EntryPlace = { cacheKey: random.pick(KEYS), owner: OWNER };
  const leaseId = random.pick(LEASES);
  switch (random.below(4)) {
    case 0:
      return (leases) => leases.take(place, leaseId, LONG_MS);
    case 1: {
      // Due is every value, or none.
      const dueMs = random.pick([0, 100 * LONG_MS]);
      return (leases) => leases.takeOver(place, leaseId, LONG_MS, dueMs);
    }
    case 2: {
      const graceMs = random.pick([0, LONG_MS]);
      const body = random.pick(['null', '{"value":{"account":1,"note":2}}']);
      return (leases) => leases.fill(place, leaseId, { body, ttlMs: LONG_MS, graceMs });
    }
    default:
      return (leases) => leases.drop(place, leaseId);
  }
}

/** What a text says, but for its times, which no two clocks agree on; a lease lengthens a value by its age. */
function said(text: string | null): unknown {
  if (text === null) return null;
  const entry = decodeEntry(text);
  if (entry.state === 'corrupt') return entry;
  const { writtenAtMs: _, ...rest } = entry;
  if (rest.state !== 'value') return rest;
  const { refresh, graceMs = 0, ...value } = rest;
  return { ...value, leaseId: refresh?.leaseId, hasGrace: graceMs > LONG_MS / 2 };
}

describe('the simulated cache of a client', () => {
  it('takes, takes over, fills and drops read leases as the scripts do on Redis', async () => {
    const memory = new MemoryCache({
      ...{ leaseTtlMs: LONG_MS, tombstoneTtlMs: LONG_MS },
      ...{ isEntryKey: () => true, ownerOf: () => OWNER, wallMs: () => Date.now() },
    });
    const { leases } = cachePortOn(memory, {
      isUp: true,
      send: (_name, _cacheKey, step) => Promise.resolve().then(step),
    });
    const real = new ComputedLeases(connection);
    const random = new SeededRandom(12);
    const answers = new Set<string>();
    for (let number = 1; number <= STEPS; number += 1) {
      if (random.chance(0.1)) {
        const cacheKey = random.pick(KEYS);
        memory.lose(cacheKey);
        await connection.client.del(cacheKey);
      }
      const step = drawStep(random);
      const [simulated, answered] = [await step(leases), await step(real)];
      expect(simulated, `step ${number}`).toEqual(answered);
      answers.add(String(answered));
      for (const cacheKey of KEYS)
        expect(said(memory.get(cacheKey)), `step ${number}`).toEqual(
          said(await connection.client.get(cacheKey)),
        );
    }
    expect([...answers].sort()).toEqual(['false', 'filled', 'refused', 'true', 'undefined']);
  });
});
