import { FILL, LEASE_OR_READ, stepSource } from '@lockstep/shared/entry-scripts';
import { redisScript, type RedisScript } from '../redis/index.ts';
import intentAge from './scripts/intent-age.lua?raw';
import invalidateIfUnchanged from './scripts/invalidate-if-unchanged.lua?raw';
import invalidate from './scripts/invalidate.lua?raw';
import placeIntent from './scripts/place-intent.lua?raw';
import publish from './scripts/publish.lua?raw';
import probe from './scripts/probe.lua?raw';
import sweepEntry from './scripts/sweep-entry.lua?raw';
import unlinkIfUnchanged from './scripts/unlink-if-unchanged.lua?raw';
import withdrawIntent from './scripts/withdraw-intent.lua?raw';

const stepScript = (body: string): RedisScript => redisScript(stepSource(body));
/** On a Cluster an invalidation stream is on another server than the entry, and a script has keys of one only. */
const untoldScript = (body: string): RedisScript =>
  redisScript(stepSource(`local function note_invalidation() end\n${body}`));

/** The atomic steps on one entry. */
export const STEPS = {
  leaseOrRead: redisScript(LEASE_OR_READ),
  fill: redisScript(FILL),
  placeIntent: stepScript(placeIntent),
  publish: stepScript(publish),
  withdrawIntent: stepScript(withdrawIntent),
  intentAge: stepScript(intentAge),
  invalidate: stepScript(invalidate),
  invalidateIfUnchanged: stepScript(invalidateIfUnchanged),
  unlinkIfUnchanged: stepScript(unlinkIfUnchanged),
  sweepEntry: stepScript(sweepEntry),
  probe: stepScript(probe),
};

export type Steps = typeof STEPS;

/** The same on a Redis Cluster, where no resource is of level `local`. */
export const CLUSTER_STEPS: Steps = {
  ...STEPS,
  invalidate: untoldScript(invalidate),
  invalidateIfUnchanged: untoldScript(invalidateIfUnchanged),
};
