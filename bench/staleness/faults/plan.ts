/** What goes wrong, and when: decided by the seed alone, the same for every contender. */
import type { SeededRandom } from '@lockstep/testkit/seeded-random';

/** Which of a run's links, or of a contender's processes, it hits: a fraction of their number, in [0, 1). */
interface Aimed {
  /** Fair weather before it. */
  afterMs: number;
  at: number;
}

export type LinkFault = Aimed & { direction: 'up' | 'down' | 'both'; forMs: number } & (
    | { kind: 'late'; latencyMs: number; jitterMs: number }
    /** Nothing passes; what was sent arrives afterwards. */
    | { kind: 'stalled' }
    /** Nothing passes, and then the connections are cut: what was sent is lost. */
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
  // On both sides of the commands' timeout.
  const forMs = random.between(100, 900);
  if (draw < 0.75) return { ...aimed, kind: 'stalled', direction, forMs };
  if (draw < 0.9) return { ...aimed, kind: 'lost', direction, forMs };
  return { ...aimed, kind: 'cut', direction, forMs: 0 };
}

/** Pauses are on both sides of the lock's life. */
export function nextProcessFault(random: SeededRandom): ProcessFault {
  const aimed = { afterMs: random.between(1_000, 5_000), at: random.next() };
  if (random.chance(0.4)) return { ...aimed, kind: 'killed' };
  return { ...aimed, kind: 'paused', forMs: random.between(200, 3_000) };
}
