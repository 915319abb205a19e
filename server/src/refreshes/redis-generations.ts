import { jsonText, type Row } from '@lockstep/shared';
import { INVALIDATION_MESSAGES } from '@lockstep/shared/entry-scripts';
import type { Redis } from 'ioredis';
import type { CacheConnection } from '../cache/index.ts';
import { LockstepError, type Resource } from '../domain/index.ts';
import swap from './scripts/swap.lua?raw';

const SWAP = `${INVALIDATION_MESSAGES}\n${swap}`;

/** The longest text of one generation, because the cache receives it in one command. */
const MAX_CHARACTERS = 64 * 1024 * 1024;
/** How long a swap may take. It is one command of some milliseconds for a thousand rows. */
const SWAP_TIMEOUT_MS = 20_000;

const generationKey = ({ name }: Pick<Resource, 'name'>): string => `lockstep:refresh:{${name}}`;
const membersKey = ({ name }: Pick<Resource, 'name'>): string =>
  `lockstep:refresh:{${name}}:members`;

/** What a refresh reads from the cache before it reads the table. */
export interface BegunGeneration {
  /** The number of the present generation; 0 if there is none. */
  generation: number;
  /** Cache keys of its entries. */
  members: string[];
  /** The time by the cache's clock, in ms. Keys that are invalidated from then on stay invalidated. */
  sinceMs: number;
}

export interface NewGeneration {
  begun: BegunGeneration;
  /** All with different cache keys. */
  entries: readonly { cacheKey: string; version: number; row: Row; tag?: string }[];
  /** Life of the entries, in ms. */
  lifeMs: number;
}

/**
 * The generations of refreshed tables on a Redis or Valkey server: a swap is one script over all keys of the table.
 * Rejects with LockstepError `CACHE_UNAVAILABLE`. A swap that rejects has happened completely or not at all.
 */
export class RedisGenerations {
  readonly #connection: CacheConnection;
  readonly #ownerOf: (resource: Resource) => string;

  /** @param ownerOf the owner in the headers of a resource's entries; '' for none */
  constructor(connection: CacheConnection, ownerOf: (resource: Resource) => string = () => '') {
    this.#connection = connection;
    this.#ownerOf = ownerOf;
  }

  /** Whether the cache has a generation of the resource. If not, readers go to the database. */
  async isThere(resource: Resource): Promise<boolean> {
    return (await this.#connection.run((client) => client.exists(generationKey(resource)))) === 1;
  }

  /** Forgets the resource's generation, because its entries were removed. */
  async forget(resource: string): Promise<void> {
    const name = { name: resource };
    await this.#connection.run((client) => client.unlink(generationKey(name), membersKey(name)));
  }

  async begin(resource: Resource): Promise<BegunGeneration> {
    // In this order: if another swap comes in between, this refresh is superseded, and members are never mixed.
    const [seconds, micros] = await this.#connection.run((client) => client.time());
    const generation = await this.#connection.run((client) =>
      client.hget(generationKey(resource), 'generation'),
    );
    const members = await this.#connection.run((client) => client.smembers(membersKey(resource)));
    const sinceMs = Number(seconds) * 1000 + Math.floor(Number(micros) / 1000);
    return { generation: Number(generation ?? 0), members, sinceMs };
  }

  /**
   * Replaces the old entries by the new ones in one step, and removes those of deleted rows. Returns how many were
   * removed; null if there is another generation than `begun`: nothing has changed then.
   */
  async swap(resource: Resource, next: NewGeneration): Promise<number | null> {
    const { begun, entries, lifeMs } = next;
    const staying = new Set(entries.map(({ cacheKey }) => cacheKey));
    const gone = begun.members.filter((cacheKey) => !staying.has(cacheKey));
    const keys = [generationKey(resource), membersKey(resource), ...staying, ...gone];
    const { generation, sinceMs } = begun;
    const owner = this.#ownerOf(resource);
    const header = [generation, entries.length, lifeMs, sinceMs, resource.format, owner];
    const bodies = entries.map(
      ({ version, row, tag = '' }) => [version, tag, jsonText(row)] as const,
    );
    const size = bodies.reduce((sum, [, , text]) => sum + text.length, 0);
    if (size > MAX_CHARACTERS) {
      const text = `The table ${resource.table} has ${size} characters of JSON; at most ${MAX_CHARACTERS} are refreshed.`;
      throw new LockstepError('TOO_LARGE', text);
    }
    const reply = await this.#onOwnConnection((client) =>
      client.eval(SWAP, keys.length, ...keys, ...header, ...bodies.flat()),
    );
    return reply === -1 ? null : Number(reply);
  }

  /** Uses a separate connection, because other commands would have to wait behind a large one. */
  async #onOwnConnection<T>(task: (client: Redis) => Promise<T>): Promise<T> {
    const client = this.#connection.duplicate({
      commandTimeout: SWAP_TIMEOUT_MS,
      enableOfflineQueue: true,
      enableAutoPipelining: false,
      retryStrategy: () => null,
    });
    client.on('error', () => undefined); // the failed command reports it
    try {
      return await task(client);
    } catch (error) {
      throw this.#connection.failure(error);
    } finally {
      client.disconnect();
    }
  }
}
