import Redlock, { ExecutionError, Lock, ResourceLockedError } from 'redlock';
import { isRedisReply } from '../redis/index.ts';
import type { Runtime } from '../runtime/index.ts';
import type { Grant, LockNodes } from './lock-nodes.ts';
import { type LockNodeReading, PROBE_SCRIPT, RedisLockNode } from './redis-lock-node.ts';
import { ACQUIRE_SCRIPT, voterOf } from './redis-voter.ts';
import { RELEASE_SCRIPT, ReleaseBatcher } from './release-batcher.ts';

export interface RedlockNodesOptions {
  /** Independent nodes, an odd number of them. */
  nodes: readonly { name: string; url: string }[];
  /** The number of their group, from 1; null where there is only one. */
  group: number | null;
  runtime: Runtime;
}

const POLL_MS = 10;

/**
 * One group of lock nodes, each with a connection of its own, through the `redlock` package. Until a majority is connected, locks
 * are `unavailable`.
 *
 * How redlock is used:
 *   - For one attempt each. Its own retries make several processes retry in step and starve one another.
 *   - Not as a clock. It reads the wall clock, so after the clock is set it would grant locks that have expired, or
 *     refuse to extend one that has not. `ProcessLock` keeps the time instead.
 *   - To count the votes, not to send them. It sends one command for each lock and node; `voterOf` sends the attempts
 *     of one moment as one batch. Releases, for which nobody waits, go through `ReleaseBatcher` instead.
 *   - It answers as soon as a majority agrees. Only where the majority refused do we wait for all votes (at most one
 *     command timeout), to distinguish "held by another" from "no majority answers".
 */
export class RedlockNodes implements LockNodes {
  readonly #nodes: readonly RedisLockNode[];
  readonly #redlock: Redlock;
  readonly #majority: number;
  readonly #releases: ReleaseBatcher;
  readonly #runtime: Runtime;

  constructor({ nodes, group, runtime }: RedlockNodesOptions) {
    this.#runtime = runtime;
    this.#majority = Math.floor(nodes.length / 2) + 1;
    this.#nodes = nodes.map(
      (node) =>
        new RedisLockNode({
          ...node,
          group,
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
      this.#nodes.map(({ client }) =>
        voterOf(client, () => this.#redlock.scripts.acquireScript.hash, runtime.timers),
      ),
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

  groupOf(): number {
    return 0;
  }

  /** Each node's state, from its own probes (about two a second). */
  status(): LockNodeReading[] {
    return this.#nodes.map((node) => node.reading());
  }

  /** Resolves to true when a majority of nodes answers, or to false after `timeoutMs`. */
  async untilMajority(timeoutMs: number): Promise<boolean> {
    const { clock, timers } = this.#runtime;
    const deadlineMs = clock.nowMs() + timeoutMs;
    while (this.#nodes.filter(({ isUp }) => isUp).length < this.#majority) {
      if (clock.nowMs() >= deadlineMs) return false;
      await timers.sleep(POLL_MS);
    }
    return true;
  }

  /** Closes the connections at once. Release all locks before. */
  close(): void {
    for (const node of this.#nodes) node.close();
  }

  /** Infinity disables redlock's own check of the expiry: see above. */
  #lockOf({ lockKey, token }: Grant): Lock {
    return new Lock(this.#redlock, [lockKey], token, [], Number.POSITIVE_INFINITY);
  }

  /** A lock that another holder has is not a failure. The error does not say which node it came from. */
  #commandFailed(error: unknown): void {
    if (error instanceof ResourceLockedError) return;
    const isTimeout = error instanceof Error && error.message.includes('timed out');
    if (isTimeout || isRedisReply(error)) for (const node of this.#nodes) node.doubt();
  }
}

/** How the nodes voted. @throws `error` where it does not come from a vote */
async function votesOf(error: unknown): Promise<{ granted: number; refused: number }> {
  const attempt = error instanceof ExecutionError ? error.attempts[0] : undefined;
  if (attempt === undefined) throw error;
  const { votesFor, votesAgainst } = await attempt;
  let refused = 0;
  for (const vote of votesAgainst.values()) if (vote instanceof ResourceLockedError) refused++;
  return { granted: votesFor.size, refused };
}
