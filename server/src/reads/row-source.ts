/**
 * Where a read that the cache cannot answer gets its row: from the primary, or from a replica that has all it needs.
 *
 * A replica is good enough for a miss (invariants G1 and G2) where it has reached
 *   - the log position of the tombstone that the miss met; one without a position leaves only the primary
 *   - where there was no tombstone: the primary as it was at most `MARKS_LAST_MS` ago. What was invalidated since has
 *     left a mark that is still there: no lease, and no value of a resource that is treated so, lives shorter
 *   - what the caller has seen before
 * and where its version is not below the one that the miss needs.
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
import type { ReadAnswer, Seen } from './port.ts';
import { isPositioned } from './seen.ts';

/** Shorter than the life of any lease, which is a second and the statement timeout at the least. */
const MARKS_LAST_MS = 750;

export interface RowSourceParts {
  rows: Pick<RowStore, 'read'>;
  /** Absent: every row comes from the primary. */
  replicas?: Replicas;
  clock: Clock;
}

/** A miss as the cache has answered it. */
export interface Miss {
  attempt: LeaseAttempt | null;
  seen?: Seen | undefined;
  /** Waits for a write of the key that may be about to commit. */
  settled: boolean;
  /** Since when the cache has answered without a break, by the own monotonic clock: what it forgot, it forgot before. */
  cacheSinceMs: number;
}

export class RowSource {
  readonly #parts: RowSourceParts;

  constructor(parts: RowSourceParts) {
    this.#parts = parts;
  }

  async forMiss(key: Key, miss: Miss): Promise<ReadAnswer> {
    const need = this.#needOf(key.resource, miss);
    const found = need === null ? null : await this.#parts.replicas?.read(key, need);
    if (!found) return this.fromPrimary(key, { settled: miss.settled });
    return { ...answered(found.row), source: 'replica', reached: found.reached, upTo: found.upTo };
  }

  async fromPrimary(key: Key, options: { settled?: boolean } = {}): Promise<ReadAnswer> {
    const { rows, replicas } = this.#parts;
    const taken = replicas?.latest() ?? null;
    const answer: ReadAnswer = {
      ...answered(await rows.read(key, options)),
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

  /** Null: only the primary will do. */
  #needOf(resource: Resource, { attempt, seen, cacheSinceMs }: Miss): ReplicaNeed | null {
    if (this.#parts.replicas === undefined || !isPositioned(resource)) return null;
    if (isDerived(resource)) return null;
    if (attempt === null || attempt.state === 'found') return null;
    const { after, leastVersion } = attempt;
    const seenBefore = seen?.databases ?? null;
    const positions = [after, seenBefore].filter((one): one is LogPosition => Boolean(one));
    if (after !== undefined) return { after: positions, leastVersion };
    if (shortestLifeMs(resource) < MARKS_LAST_MS) return null;
    // Asked now, when the cache has answered: time that went by before makes its answer no older.
    const youngerThanMs = Math.min(MARKS_LAST_MS, this.#parts.clock.nowMs() - cacheSinceMs);
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

/** A value that runs out takes the traces of what it followed with it. */
const shortestLifeMs = ({ ttlMs, negativeTtlMs, ttlJitter }: Resource): number =>
  Math.min(ttlMs, negativeTtlMs) * (1 - ttlJitter);
