import { redisScript, type RedisScript } from '../redis/index.ts';
import prelude from './scripts/entry.lua?raw';
import batch from './scripts/batch.lua?raw';
import fill from './scripts/fill.lua?raw';
import intentAge from './scripts/intent-age.lua?raw';
import invalidateIfUnchanged from './scripts/invalidate-if-unchanged.lua?raw';
import invalidate from './scripts/invalidate.lua?raw';
import leaseOrRead from './scripts/lease-or-read.lua?raw';
import placeIntent from './scripts/place-intent.lua?raw';
import publish from './scripts/publish.lua?raw';
import probe from './scripts/probe.lua?raw';
import sweepEntry from './scripts/sweep-entry.lua?raw';
import unlinkIfUnchanged from './scripts/unlink-if-unchanged.lua?raw';
import withdrawIntent from './scripts/withdraw-intent.lua?raw';

/**
 * The script that carries out one step for a batch of calls. `body` is the step; it reads the arguments of one call
 * from ARGV.
 */
function stepScript(body: string): RedisScript {
  return redisScript(`${prelude}\nlocal function step(ARGV)\n${body}\nend\n${batch}`);
}

/** The atomic steps on one entry. */
export const STEPS = {
  leaseOrRead: stepScript(leaseOrRead),
  fill: stepScript(fill),
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
