import { jsonText, type Row } from '@lockstep/shared';
import type { Redis } from 'ioredis';
import type { CacheConnection } from '../cache/index.ts';
import { LockstepError, type Resource } from '../domain/index.ts';
import swapScript from './scripts/swap.lua?raw';

/** Bound on one generation's text: the cache takes all of it in one command. */
const MAX_CHARACTERS = 64 * 1024 * 1024;
/** Bound on the swap; it is one command of some milliseconds for a thousand rows. */
const SWAP_TIMEOUT_MS = 20_000;

const generationKey = ({ name }: Pick<Resource, 'name'>): string => `lockstep:refresh:{${name}}`;
const membersKey = ({ name }: Pick<Resource, 'name'>): string =>
  `lockstep:refresh:{${name}}:members`;

/** What a refresh finds before it reads the table. */
export interface BegunGeneration {
  /** Number of the generation that is there; 0 where none is. */
  generation: number;
  /** Cache keys of its entries. */
  members: string[];
  /** The cache's own clock at the beginning, in ms: what was invalidated from then on stays invalidated. */
  sinceMs: number;
}

export interface NewGeneration {
  begun: BegunGeneration;
  /** Of different cache keys. */
  entries: readonly { cacheKey: string; version: number; row: Row; tag?: string }[];
  /** Life of the entries, in ms. */
  lifeMs: number;
}

/**
 * The generations of refreshed tables on a Redis or Valkey server: a swap is one script over all keys of the table.
 * Rejects with LockstepError `CACHE_UNAVAILABLE`; a swap that does has happened whole or not at all.
 */
export class RedisGenerations {
  readonly #connection: CacheConnection;
  readonly #ownerOf: (resource: Resource) => string;

  /** @param ownerOf the owner in the headers of a resource's entries; '' for none */
  constructor(connection: CacheConnection, ownerOf: (resource: Resource) => string = () => '') {
    this.#connection = connection;
    this.#ownerOf = ownerOf;
  }

  /** False if the cache has none of it (any more), so that readers go to the database. */
  async isThere(resource: Resource): Promise<boolean> {
    return (await this.#connection.run((client) => client.exists(generationKey(resource)))) === 1;
  }

  /** Its entries went: the next look finds no generation. */
  async forget(resource: string): Promise<void> {
    const name = { name: resource };
    await this.#connection.run((client) => client.unlink(generationKey(name), membersKey(name)));
  }

  async begin(resource: Resource): Promise<BegunGeneration> {
    // In this order: a swap between the two makes this one superseded, and never mixes their members.
    const [seconds, micros] = await this.#connection.run((client) => client.time());
    const generation = await this.#connection.run((client) =>
      client.hget(generationKey(resource), 'generation'),
    );
    const members = await this.#connection.run((client) => client.smembers(membersKey(resource)));
    const sinceMs = Number(seconds) * 1000 + Math.floor(Number(micros) / 1000);
    return { generation: Number(generation ?? 0), members, sinceMs };
  }

  /**
   * Puts the new entries in the place of the old ones in one step, and removes those of rows that went. Returns how many
   * were removed; null if another generation has come since `begun`: nothing happens then.
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
      client.eval(swapScript, keys.length, ...keys, ...header, ...bodies.flat()),
    );
    return reply === -1 ? null : Number(reply);
  }

  /** A large command would keep everybody else's waiting behind it. */
  async #onOwnConnection<T>(task: (client: Redis) => Promise<T>): Promise<T> {
    const client = this.#connection.client.duplicate({
      commandTimeout: SWAP_TIMEOUT_MS,
      enableOfflineQueue: true,
      enableAutoPipelining: false,
      retryStrategy: () => null,
    });
    client.on('error', () => undefined); // the command that fails says so
    try {
      return await task(client);
    } catch (error) {
      throw this.#connection.failure(error);
    } finally {
      client.disconnect();
    }
  }
}
