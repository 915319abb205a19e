/**
 * Where a read gets its row if the cache cannot answer: from the primary, or from a replica that has everything the read
 * needs.
 *
 * A replica may answer a miss (invariants G1 and G2) if it has reached all of
 *   - the log position of the tombstone that the miss met (without a position, only the primary may answer)
 *   - if there was no tombstone: the primary as it was at most `MARKS_LAST_MS` ago. An invalidation since then has left
 *     a tombstone, or a lease or value that followed it, and none of them expires that soon
 *   - what the caller has seen before
 * and if its version of the row is not below the one that the miss needs.
 */
import type { LeaseAttempt } from '../cache/port.ts';
import type { RowStore, VersionedRow } from '../database/port.ts';
import {
  isDerived,
  justBefore,
  type Key,
  type LogPosition,
  type Resource,
  UNKNOWN_POSITION,
} from '../domain/index.ts';
import type { ReplicaNeed, Replicas } from '../replicas/port.ts';
import type { Clock } from '../runtime/index.ts';
import type { CombinedSteps } from './combined-steps.ts';
import type { ReadAnswer, Seen } from './port.ts';
import { isPositioned } from './seen.ts';

/** Shorter than the life of any fill lease, which is at least a second more than the statement timeout. */
const MARKS_LAST_MS = 750;

export interface RowSourceOptions {
  rows: Pick<RowStore, 'read'>;
  /** For reads that go together. */
  combined: Pick<CombinedSteps, 'read'>;
  /** Absent: every row is read from the primary. */
  replicas?: Replicas;
  clock: Clock;
}

/** A miss, with what the cache answered. */
export interface Miss {
  attempt: LeaseAttempt | null;
  seen?: Seen | undefined;
  /** The read waits for writes of the key that are about to commit. */
  confirmed: boolean;
  /** As in `ReadOptions`. */
  together: boolean;
  /**
   * Since when the cache has answered without interruption, by this process's monotonic clock. It lost no entry since
   * then.
   */
  cacheSinceMs: number;
}

export class RowSource {
  readonly #options: RowSourceOptions;

  constructor(options: RowSourceOptions) {
    this.#options = options;
  }

  async forMiss(key: Key, miss: Miss): Promise<ReadAnswer> {
    const need = this.#needOf(key.resource, miss);
    const found = need === null ? null : await this.#options.replicas?.read(key, need);
    if (!found) return this.fromPrimary(key, miss);
    return { ...answered(found.row), source: 'replica', reached: found.reached, upTo: found.upTo };
  }

  async fromPrimary(
    key: Key,
    { confirmed = false, together = false }: Partial<Pick<Miss, 'confirmed' | 'together'>> = {},
  ): Promise<ReadAnswer> {
    const { rows, combined, replicas } = this.#options;
    const taken = replicas?.latest() ?? null;
    // A read that waits for a writer would have the others wait too.
    const isCombined = together && !confirmed && !isDerived(key.resource);
    const answer: ReadAnswer = {
      ...answered(await (isCombined ? combined.read(key) : rows.read(key, { confirmed }))),
      source: 'primary',
      ...(isDerived(key.resource) ? { isUnversioned: true } : {}),
    };
    if (replicas === undefined) return answer;
    return {
      ...answer,
      ...(taken === null || !isPositioned(key.resource) ? {} : { reached: justBefore(taken) }),
      upTo: (await replicas.current()) ?? UNKNOWN_POSITION,
    };
  }

  /** What a replica must have; null if only the primary may answer. */
  #needOf(resource: Resource, { attempt, seen, cacheSinceMs }: Miss): ReplicaNeed | null {
    if (this.#options.replicas === undefined || !isPositioned(resource)) return null;
    if (isDerived(resource)) return null;
    if (attempt === null || attempt.state === 'found') return null;
    const { after, leastVersion } = attempt;
    const seenBefore = seen?.databases ?? null;
    const positions = [after, seenBefore].filter((one): one is LogPosition => Boolean(one));
    if (after !== undefined) return { after: positions, leastVersion };
    if (shortestLifeMs(resource) < MARKS_LAST_MS) return null;
    // The clock is read after the cache answered, so that waiting for the cache does not count as age.
    const youngerThanMs = Math.min(MARKS_LAST_MS, this.#options.clock.nowMs() - cacheSinceMs);
    return { after: positions, youngerThanMs, leastVersion };
  }
}

const answered = ({
  version,
  row,
  tag,
}: VersionedRow): Pick<ReadAnswer, 'version' | 'row' | 'tag'> => ({
  version,
  row,
  ...(tag === undefined ? {} : { tag }),
});

/** When a value expires, the cache no longer knows which invalidation it followed. */
const shortestLifeMs = ({ ttlMs, negativeTtlMs, ttlJitter }: Resource): number =>
  Math.min(ttlMs, negativeTtlMs) * (1 - ttlJitter);
