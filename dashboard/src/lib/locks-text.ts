/** The first line of the locks page, which summarizes it for someone in a hurry. */
import type { LocksEvent } from '@lockstep/shared';
import { countOf, durationText } from './format.ts';
import { keyText } from './keys.ts';
import { STANDING_MS } from './busy-keys.ts';

const PURPOSES = {
  write: 'a write',
  recovery: 'a recovery',
  repair: 'a repair',
  lease: 'a caller’s lease',
  guard: 'a caller’s own transaction',
} as const;

/** One or two sentences about holders and waiters. */
export function describeLocks(event: LocksEvent): string {
  if (event.heldTotal === 0 && event.waitingTotal === 0) return 'No key is held, and nobody waits.';
  const held = `${countOf(event.heldTotal, 'key is', 'keys are')} held`;
  const waiting =
    event.waitingTotal === 0
      ? 'nobody waits'
      : `${countOf(event.waitingTotal, 'caller waits', 'callers wait')}`;
  return `${held}, ${waiting}. ${longestOf(event)}`;
}

function longestOf(event: LocksEvent): string {
  const longest = event.held[0];
  if (longest === undefined) return 'Keys are changing hands.';
  if (longest.heldMs < STANDING_MS) return 'All holds are short: nothing is blocked for long.';
  const behind = longest.waiting === 0 ? 'nobody' : countOf(longest.waiting, 'caller');
  return `The longest hold is ${longest.resource}/${keyText(longest.key)}: ${durationText(longest.heldMs)}, by ${longest.instance} for ${PURPOSES[longest.purpose]}, with ${behind} behind it.`;
}
