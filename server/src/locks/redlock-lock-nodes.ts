import type { Redis } from 'ioredis';
import Redlock, { ExecutionError, Lock, ResourceLockedError } from 'redlock';
import { isRedisReply } from '../domain/index.ts';
import type { Runtime } from '../runtime/index.ts';
import type { Grant, LockNodes } from './lock-nodes.ts';
import { RELEASE_SCRIPT, ReleaseBatcher } from './release-batcher.ts';
import { type LockNodeReading, PROBE_SCRIPT, RedisLockNode } from './redis-lock-node.ts';
import { ACQUIRE_SCRIPT, voterOf } from './redis-voter.ts';

/** Lock nodes with connections of their own. */
export interface ConnectedLockNodes extends LockNodes {
  /** Each node's state by its own probes (about twice a second). */
  status(): LockNodeReading[];
  /** Resolves when a majority of nodes answers: true; or after `timeoutMs`: false. */
  untilMajority(timeoutMs: number): Promise<boolean>;
  /** Failed commands since the start (not: locks that others held). */
  readonly errorCount: number;
  /** Closes the connections at once. Release all locks before. */
  close(): void;
}

export interface LockNodesOptions {
  /** One for each independent node; an odd number, three by default. */
  urls: readonly string[];
  runtime: Runtime;
}

const POLL_MS = 10;

/**
 * Connects to lock nodes through the `redlock` package. Returns at once; until a majority is connected, locks are
 * `unavailable`.
 *
 * What of redlock is used, and what is not:
 *   - One attempt each: its own retries of several processes march in step and starve one another.
 *   - Its clock is the wall clock, so its idea of when a lock expires is not asked: it grants locks that have expired
 *     and would refuse to extend one that has not, when somebody sets the clock. `Watchdog` keeps the time.
 *   - It sends one command for each lock and node. Its attempts of one moment are sent together (`voterOf`); it still
 *     counts the votes. Releases, which nobody waits for, are not sent by it at all (`ReleaseBatcher`).
 *   - It answers as soon as a majority agrees. Only where that was no, all votes are waited for (at most one command's
 *     timeout), to tell "held by another" from "no majority answers".
 */
export function connectLockNodes(settings: LockNodesOptions): ConnectedLockNodes {
  return new RedlockNodes(settings);
}

class RedlockNodes implements ConnectedLockNodes {
  readonly #nodes: readonly RedisLockNode[];
  readonly #redlock: Redlock;
  readonly #majority: number;
  readonly #releases: ReleaseBatcher;
  readonly #runtime: Runtime;
  #errors = 0;

  constructor({ urls, runtime }: LockNodesOptions) {
    this.#runtime = runtime;
    this.#majority = Math.floor(urls.length / 2) + 1;
    this.#nodes = urls.map(
      (url, index) =>
        new RedisLockNode({
          name: `lock-${index + 1}`,
          url,
          scripts: () => [
            ...Object.values(this.#redlock.scripts).map(({ value }) => value),
            ACQUIRE_SCRIPT.source,
            RELEASE_SCRIPT.source,
            PROBE_SCRIPT.source,
          ],
          runtime,
        }),
    );
    this.#redlock = new Redlock(
      // It asks for whole clients and uses these two methods of them.
      this.#nodes.map(({ client }) =>
        voterOf(client, () => this.#redlock.scripts.acquireScript.hash, runtime.timers),
      ) as unknown as Redis[],
      { retryCount: 0 },
    );
    this.#redlock.on('error', (error: unknown) => this.#commandFailed(error));
    this.#releases = new ReleaseBatcher({
      clients: this.#nodes.map(({ client }) => client),
      majority: this.#majority,
      timers: runtime.timers,
      onFailedCommand: (error) => this.#commandFailed(error),
    });
  }

  get errorCount(): number {
    return this.#errors;
  }

  async tryAcquire(lockKey: string, ttlMs: number): Promise<Grant | 'contended' | 'unavailable'> {
    try {
      const { value } = await this.#redlock.acquire([lockKey], ttlMs);
      return { lockKey, token: value };
    } catch (error) {
      const { granted, refused } = await votesOf(error);
      return granted + refused >= this.#majority ? 'contended' : 'unavailable';
    }
  }

  async extend(grant: Grant, ttlMs: number): Promise<'extended' | 'lost' | 'unavailable'> {
    try {
      await this.#redlock.extend(this.#lockOf(grant), ttlMs);
      return 'extended';
    } catch (error) {
      const { refused } = await votesOf(error);
      return refused >= this.#majority ? 'lost' : 'unavailable';
    }
  }

  release(grant: Grant): Promise<'released' | 'gone' | 'unavailable'> {
    return this.#releases.release(grant);
  }

  status(): LockNodeReading[] {
    return this.#nodes.map((node) => node.reading());
  }

  async untilMajority(timeoutMs: number): Promise<boolean> {
    const { clock, timers } = this.#runtime;
    const deadlineMs = clock.nowMs() + timeoutMs;
    while (this.#nodes.filter(({ isUp }) => isUp).length < this.#majority) {
      if (clock.nowMs() >= deadlineMs) return false;
      await timers.sleep(POLL_MS);
    }
    return true;
  }

  close(): void {
    for (const node of this.#nodes) node.close();
  }

  /** The package's own idea of the expiry is put out of the way: see above. */
  #lockOf({ lockKey, token }: Grant): Lock {
    return new Lock(this.#redlock, [lockKey], token, [], Number.POSITIVE_INFINITY);
  }

  /** A lock that another one holds is no failure. The error of one that is does not say which node it came from. */
  #commandFailed(error: unknown): void {
    if (error instanceof ResourceLockedError) return;
    this.#errors++;
    const isTimeout = error instanceof Error && error.message.includes('timed out');
    if (isTimeout || isRedisReply(error)) for (const node of this.#nodes) node.doubt();
  }
}

/** How the nodes voted that answered. @throws `error` where it is no vote at all */
async function votesOf(error: unknown): Promise<{ granted: number; refused: number }> {
  const attempt = error instanceof ExecutionError ? error.attempts[0] : undefined;
  if (attempt === undefined) throw error;
  const { votesFor, votesAgainst } = await attempt;
  let refused = 0;
  for (const vote of votesAgainst.values()) if (vote instanceof ResourceLockedError) refused++;
  return { granted: votesFor.size, refused };
}
