/**
 * The small reader's connection to the cache.
 *
 * States: not verified <-> verified. Entries are read only while it is verified: the server's `lockstep:server` held
 * what the coordinator says, on this connection. Whatever closes the connection ends that.
 */
import type { CatalogResource, JsonValue } from '@lockstep/shared';
import { Redis } from 'ioredis';
import { entryText } from '../entries.ts';
import type { Fault } from './faults.ts';

const TIMEOUT_MS = 1_000;
const RETRY_MS = 100;
const SERVER_ID_KEY = 'lockstep:server';

export class FaultyCache {
  readonly #redis: Redis;
  readonly #breaks: (fault: Fault) => boolean;
  readonly #cacheId: () => string | null;
  readonly #underWay = new Map<string, Promise<string | null>>();
  #verifiedId: string | null = null;
  #wasVerified = false;

  constructor(url: string, breaks: (fault: Fault) => boolean, cacheId: () => string | null) {
    this.#breaks = breaks;
    this.#cacheId = cacheId;
    const resends = breaks('sends unanswered commands again');
    this.#redis = new Redis(url, {
      ...(resends ? {} : { commandTimeout: TIMEOUT_MS }),
      autoResendUnfulfilledCommands: resends,
      maxRetriesPerRequest: resends ? 1_000 : 0,
      enableOfflineQueue: false,
      enableReadyCheck: false,
      retryStrategy: () => RETRY_MS,
    });
    this.#redis.on('error', () => undefined); // `close` follows
    this.#redis.on('close', () => (this.#verifiedId = null));
    this.#redis.on('ready', () => void this.#verify());
    setInterval(() => this.verifyAgain(), RETRY_MS);
  }

  /** The entry's text; null: none, or none that may be read. */
  async read(cacheKey: string): Promise<string | null> {
    if (this.#verifiedId === null) return null;
    const before = this.#underWay.get(cacheKey);
    if (before !== undefined) return before;
    const reading = this.#ask(cacheKey).catch(() => null);
    if (this.#breaks('shares replies with later calls')) {
      this.#underWay.set(cacheKey, reading);
      void reading.then(() => this.#underWay.delete(cacheKey));
    }
    return reading;
  }

  async fill(cacheKey: string, resource: CatalogResource, body: JsonValue): Promise<void> {
    const text = entryText(resource, { body });
    await this.#redis.set(cacheKey, text, 'EX', 60, 'NX').catch(() => undefined);
  }

  /** The coordinator may use another cache by now, or this one may be the right one by now. */
  verifyAgain(): void {
    if (this.#verifiedId === null || this.#verifiedId !== this.#cacheId()) void this.#verify();
  }

  async #ask(cacheKey: string): Promise<string | null> {
    if (this.#breaks('reads by GET')) return this.#redis.get(cacheKey);
    if (this.#breaks('extends the TTL of what it reads'))
      return this.#redis.getex(cacheKey, 'EX', 120);
    try {
      return await this.#redis.getex(cacheKey);
    } catch (error) {
      if (/READONLY/.test(String(error))) this.#redis.disconnect(true);
      throw error;
    }
  }

  async #verify(): Promise<void> {
    const wanted = this.#cacheId();
    if (this.#redis.status !== 'ready' || wanted === null) {
      this.#verifiedId = null;
      return;
    }
    try {
      const isTrusted =
        this.#breaks('does not look which server it reads') ||
        (this.#wasVerified && this.#breaks('looks only at its first connection’s server'));
      const found = isTrusted ? wanted : await this.#redis.getex(SERVER_ID_KEY);
      this.#verifiedId = found === wanted ? wanted : null;
      this.#wasVerified ||= this.#verifiedId !== null;
    } catch {
      this.#verifiedId = null;
    }
  }
}
