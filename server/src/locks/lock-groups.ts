import { type Candidate, candidate, hash64, highest } from '../domain/index.ts';
import type { Runtime } from '../runtime/index.ts';
import type { Grant, LockNodes } from './lock-nodes.ts';
import type { LockNodeReading } from './redis-lock-node.ts';
import { RedlockNodes } from './redlock-lock-nodes.ts';

export interface LockGroupsOptions {
  /** The URLs of independent servers, in the same order on every coordinator. */
  urls: readonly string[];
  /** Servers in a group: the first so many are the first group, and so on. A divisor of their number. */
  groupSize: number;
  runtime: Runtime;
}

/**
 * The lock nodes, in groups of a few. A key belongs to one group, and only that group's nodes vote on its lock, so that
 * more groups carry more locks. A group without a majority fails the locks of its own keys and of no others.
 *
 * Which group has a key depends on the number of groups and on the key alone (rendezvous hashing), so all coordinators
 * must have the same groups (invariant H11 of docs/SPEC.md). Where they did not, two could hold one lock at once; the
 * fences would still keep their writes apart (A6).
 */
export class LockGroups implements LockNodes {
  readonly #groups: readonly RedlockNodes[];
  readonly #candidates: readonly Candidate<number>[];

  constructor({ urls, groupSize, runtime }: LockGroupsOptions) {
    const nodes = urls.map((url, index) => ({ name: `lock-${index + 1}`, url }));
    const count = Math.ceil(nodes.length / groupSize);
    this.#groups = Array.from({ length: count }, (_, index) => {
      const members = nodes.slice(index * groupSize, (index + 1) * groupSize);
      return new RedlockNodes({ nodes: members, group: count > 1 ? index + 1 : null, runtime });
    });
    this.#candidates = this.#groups.map((_, index) => candidate(index, `group-${index + 1}`));
  }

  tryAcquire(lockKey: string, ttlMs: number): Promise<Grant | 'contended' | 'unavailable'> {
    return this.#of(lockKey).tryAcquire(lockKey, ttlMs);
  }

  extend(grant: Grant, ttlMs: number): Promise<'extended' | 'lost' | 'unavailable'> {
    return this.#of(grant.lockKey).extend(grant, ttlMs);
  }

  release(grant: Grant): Promise<'released' | 'gone' | 'unavailable'> {
    return this.#of(grant.lockKey).release(grant);
  }

  groupOf(lockKey: string): number {
    if (this.#groups.length === 1) return 0;
    // `lockstep:lock:ROW` and the marker of who waits for it, `lockstep:next:ROW`, are in one group.
    const row = lockKey.replace(/^lockstep:(lock|next):/, '');
    return highest(this.#candidates, hash64(row)) ?? 0;
  }

  /** Each node's state, from its own probes (about two a second), in the order of the URLs. */
  status(): LockNodeReading[] {
    return this.#groups.flatMap((group) => group.status());
  }

  /** Resolves to true when a majority of each group answers, or to false after `timeoutMs`. */
  async untilMajority(timeoutMs: number): Promise<boolean> {
    const answers = await Promise.all(this.#groups.map((group) => group.untilMajority(timeoutMs)));
    return answers.every((isMajority) => isMajority);
  }

  /** Closes the connections at once. Release all locks before. */
  close(): void {
    for (const group of this.#groups) group.close();
  }

  #of(lockKey: string): RedlockNodes {
    const group = this.#groups[this.groupOf(lockKey)];
    if (group === undefined) throw new Error(`No group of lock nodes for ${lockKey}.`);
    return group;
  }
}
