import { createHash } from 'node:crypto';
import prelude from './scripts/entry.lua?raw';
import fill from './scripts/fill.lua?raw';
import intentAge from './scripts/intent-age.lua?raw';
import invalidateIfUnchanged from './scripts/invalidate-if-unchanged.lua?raw';
import invalidate from './scripts/invalidate.lua?raw';
import leaseOrRead from './scripts/lease-or-read.lua?raw';
import placeIntent from './scripts/place-intent.lua?raw';
import publish from './scripts/publish.lua?raw';
import withdrawIntent from './scripts/withdraw-intent.lua?raw';

/** One atomic step on one entry. */
export interface Script {
  source: string;
  /** SHA-1 of the source, by which Redis knows it. */
  sha: string;
}

const script = (body: string): Script => {
  const source = `${prelude}\n${body}`;
  return { source, sha: createHash('sha1').update(source).digest('hex') };
};

export const SCRIPTS = {
  leaseOrRead: script(leaseOrRead),
  fill: script(fill),
  placeIntent: script(placeIntent),
  publish: script(publish),
  withdrawIntent: script(withdrawIntent),
  intentAge: script(intentAge),
  invalidate: script(invalidate),
  invalidateIfUnchanged: script(invalidateIfUnchanged),
};
