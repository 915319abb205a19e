import { setTimeout as sleep } from 'node:timers/promises';
import { Redis } from 'ioredis';
import Redlock, { type Lock } from 'redlock';
import { FailedCall, LOCK_TTL_MS } from '../contender.ts';
import type { ServiceOptions } from './protocol.ts';

/**
 * With the library's own retries, a failed attempt keeps its locks on some nodes until they expire, so several
 * processes block one another; and it retries the release of an expired lock without end. So each attempt is one call
 * here, which gives back what it got.
 */
const LOCK_ONCE = { retryCount: 0 };
const LOCK_RETRY_MS = { min: 20, max: 80 };
/** Lockstep's default. */
const LOCK_WAIT_MS = 5_000;

/** A lock for each key, on three nodes. */
export class KeyLock {
  readonly #table: string;
  readonly #redlock: Redlock;

  constructor({ table, lockUrls }: ServiceOptions) {
    this.#table = table;
    this.#redlock = new Redlock(
      lockUrls.map((url) => new Redis(url, { enableAutoPipelining: true })),
      LOCK_ONCE,
    );
    this.#redlock.on('error', () => undefined); // every attempt that finds the lock taken
  }

  /** @throws FailedCall if the lock is not free in time */
  async hold<T>(key: number, work: () => Promise<T>): Promise<T> {
    const lock = await this.#acquire(`${this.#table}:lock:${key}`);
    try {
      return await work();
    } finally {
      await lock.release().catch(() => undefined); // it has expired and blocks nobody
    }
  }

  async close(): Promise<void> {
    await this.#redlock.quit();
  }

  async #acquire(name: string): Promise<Lock> {
    const deadlineMs = performance.now() + LOCK_WAIT_MS;
    for (;;) {
      try {
        return await this.#redlock.acquire([name], LOCK_TTL_MS);
      } catch (cause) {
        if (performance.now() > deadlineMs) throw new FailedCall('LOCK_TIMEOUT', '', { cause });
      }
      const { min, max } = LOCK_RETRY_MS;
      await sleep(min + (max - min) * Math.random());
    }
  }
}
