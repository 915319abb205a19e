import { createHash } from 'node:crypto';
import prelude from './scripts/entry.lua?raw';
import fill from './scripts/fill.lua?raw';
import intentAge from './scripts/intent-age.lua?raw';
import invalidateIfUnchanged from './scripts/invalidate-if-unchanged.lua?raw';
import invalidate from './scripts/invalidate.lua?raw';
import leaseOrRead from './scripts/lease-or-read.lua?raw';
import placeIntent from './scripts/place-intent.lua?raw';
import publish from './scripts/publish.lua?raw';
import probe from './scripts/probe.lua?raw';
import round from './scripts/round.lua?raw';
import sweepEntry from './scripts/sweep-entry.lua?raw';
import unlinkIfUnchanged from './scripts/unlink-if-unchanged.lua?raw';
import withdrawIntent from './scripts/withdraw-intent.lua?raw';

/** A script as Redis takes it. */
export interface Script {
  source: string;
  /** SHA-1 of the source, by which Redis knows it. */
  sha: string;
}

/**
 * The script of one step on one entry, for a round of calls. `body` reads its arguments from ARGV, as a script would.
 * The first line has a replica refuse it also where it would only read.
 */
function stepScript(body: string): Script {
  const source = `#!lua\n${prelude}\nlocal function step(ARGV)\n${body}\nend\n${round}`;
  return { source, sha: createHash('sha1').update(source).digest('hex') };
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
