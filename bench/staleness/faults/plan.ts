/** Which faults occur, and when. This depends only on the seed, so it is the same for every contender. */
import type { SeededRandom } from '@lockstep/testkit/seeded-random';

/** Which link or process a fault hits, as a fraction of their number in [0, 1). */
interface Aimed {
  /** The time without faults before this one. */
  afterMs: number;
  at: number;
}

export type LinkFault = Aimed & { direction: 'up' | 'down' | 'both'; forMs: number } & (
    | { kind: 'late'; latencyMs: number; jitterMs: number }
    /** Nothing passes; everything that was sent arrives afterwards. */
    | { kind: 'stalled' }
    /** Nothing passes, then the connections are cut, and everything that was sent is lost. */
    | { kind: 'lost' }
    | { kind: 'cut' }
  );

export type ProcessFault = Aimed & ({ kind: 'paused'; forMs: number } | { kind: 'killed' });

export type FaultKind = LinkFault['kind'] | ProcessFault['kind'];
export type FaultCounts = Partial<Record<FaultKind, number>>;

/** Deletions and fills that come late make cache-aside stale, so these are the most frequent. */
export function nextLinkFault(random: SeededRandom): LinkFault {
  const aimed = { afterMs: random.between(100, 800), at: random.next() };
  const direction = random.pick(['up', 'down', 'both'] as const);
  const draw = random.next();
  if (draw < 0.55) {
    const [latencyMs, jitterMs] = [random.between(2, 60), random.between(0, 100)];
    return {
      ...aimed,
      kind: 'late',
      direction,
      latencyMs,
      jitterMs,
      forMs: random.between(200, 800),
    };
  }
  // Both shorter and longer than the commands' timeout.
  const forMs = random.between(100, 900);
  if (draw < 0.75) return { ...aimed, kind: 'stalled', direction, forMs };
  if (draw < 0.9) return { ...aimed, kind: 'lost', direction, forMs };
  return { ...aimed, kind: 'cut', direction, forMs: 0 };
}

/** Pauses are both shorter and longer than a lock's TTL. */
export function nextProcessFault(random: SeededRandom): ProcessFault {
  const aimed = { afterMs: random.between(1_000, 5_000), at: random.next() };
  if (random.chance(0.4)) return { ...aimed, kind: 'killed' };
  return { ...aimed, kind: 'paused', forMs: random.between(200, 3_000) };
}
