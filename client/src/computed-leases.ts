/**
 * The read leases of computed resources: the only writes of the client to the cache. Each is one atomic step, by the
 * scripts that the coordinator runs for its own reads, and a fill replaces only the very lease under which its loader ran.
 */
import { createHash } from 'node:crypto';
import { DROP_LEASE, FILL, LEASE_OR_READ, LEASE_REFRESH } from '@lockstep/shared/entry-scripts';
import type { EntryPlace, Fill, ReadLeases } from './ports.ts';
import type { RedisConnection } from './redis-connection.ts';

interface Script {
  source: string;
  sha: string;
}

/** The first line makes a replica refuse the script. */
function scriptOf(body: string): Script {
  const source = `#!lua\n${body}`;
  return { source, sha: createHash('sha1').update(source).digest('hex') };
}

const LEASE = scriptOf(LEASE_OR_READ);
const REFRESH = scriptOf(LEASE_REFRESH);
const FILL_LEASED = scriptOf(FILL);
const DROP = scriptOf(DROP_LEASE);

export class ComputedLeases implements ReadLeases {
  readonly #connection: RedisConnection;

  constructor(connection: RedisConnection) {
    this.#connection = connection;
  }

  async take(place: EntryPlace, leaseId: string, ttlMs: number): Promise<boolean | null> {
    const reply = await this.#run(LEASE, place, [leaseId, ttlMs]);
    return reply === null ? null : Array.isArray(reply) && reply[0] === 'leased';
  }

  async takeOver(
    place: EntryPlace,
    leaseId: string,
    ttlMs: number,
    dueMs: number,
  ): Promise<boolean | null> {
    const reply = await this.#run(REFRESH, place, [leaseId, ttlMs, dueMs]);
    return reply === null ? null : reply === 'leased';
  }

  async fill(
    place: EntryPlace,
    leaseId: string,
    { body, ttlMs, graceMs }: Fill,
  ): Promise<'filled' | 'refused' | 'failed'> {
    const args = [leaseId, VERSION, ttlMs + graceMs, body, NOT_KNOWN, NOT_KNOWN, NO_TAG, graceMs];
    const reply = await this.#run(FILL_LEASED, place, args);
    if (reply === null) return 'failed';
    return reply === 1 ? 'filled' : 'refused';
  }

  async drop(place: EntryPlace, leaseId: string): Promise<void> {
    await this.#run(DROP, place, [leaseId]);
  }

  /** Null where the cache does not answer. */
  async #run(script: Script, place: EntryPlace, args: (string | number)[]): Promise<unknown> {
    if (!this.#connection.isUp) return null;
    try {
      const replies = await this.#evaluate(script, place.cacheKey, [...args, place.owner]);
      this.#connection.answered();
      return Array.isArray(replies) ? (replies as unknown[])[0] : null;
    } catch (error) {
      this.#connection.failed(error);
      return null;
    }
  }

  async #evaluate(
    { source, sha }: Script,
    cacheKey: string,
    args: (string | number)[],
  ): Promise<unknown> {
    const { client } = this.#connection;
    try {
      return await client.evalsha(sha, 1, cacheKey, ...args);
    } catch (error) {
      if (!(error instanceof Error) || !error.message.startsWith('NOSCRIPT')) throw error;
      return client.eval(source, 1, cacheKey, ...args);
    }
  }
}

/** Values of loaders have no version, and no log position. */
const VERSION = 0;
const NOT_KNOWN = '';
const NO_TAG = '';
