/**
 * Countdown arithmetic. The server says how much time was left when it sent the message; the browser subtracts the time
 * since the message arrived, by its monotonic clock. So the clocks of the two need not agree.
 */

/** How much is left `elapsedMs` after the message that said `leftMs`. Never below zero. */
export function leftAfter(leftMs: number, elapsedMs: number): number {
  return Math.max(0, leftMs - Math.max(0, elapsedMs));
}

/** How old something is `elapsedMs` after the message that said `ageMs`. */
export function ageAfter(ageMs: number, elapsedMs: number): number {
  return ageMs + Math.max(0, elapsedMs);
}

/**
 * `ample`: nothing unusual. `short`: less than a quarter is left, so an extension is overdue.
 * `over`: the time has run out.
 */
export type CountdownPhase = 'ample' | 'short' | 'over';

/** The phase of a countdown with `leftMs` of `ttlMs` left. */
export function phaseOf(leftMs: number, ttlMs: number): CountdownPhase {
  if (leftMs <= 0) return 'over';
  return leftMs < ttlMs / 4 ? 'short' : 'ample';
}

/** The share of `ttlMs` that is left, between 0 and 1. */
export function shareLeft(leftMs: number, ttlMs: number): number {
  if (ttlMs <= 0) return 0;
  return Math.min(1, Math.max(0, leftMs / ttlMs));
}
