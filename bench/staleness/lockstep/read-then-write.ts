import { setTimeout as sleep } from 'node:timers/promises';

/** How often a caller reads again after another write came between its read and its own write. */
const MAX_ATTEMPTS = 100;
const BACKOFF_STEP_MS = 5;
const BACKOFF_MAX_MS = 100;

/** Waits a little after such a write. @returns false where the caller should give up */
export async function afterConflict(attempt: number): Promise<boolean> {
  if (attempt === MAX_ATTEMPTS) return false;
  await sleep(Math.random() * Math.min(BACKOFF_MAX_MS, BACKOFF_STEP_MS * attempt));
  return true;
}
