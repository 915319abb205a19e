/**
 * `strict`: lock, write intent, fenced transaction, publish. Every part can be removed, to show what it is for.
 */
import { CRASH, mayCrash, type Process, writerNames } from '../model/process.ts';
import { leasedReaders } from '../model/readers.ts';
import { expiringLock, forgetfulCache, FORGETS, REFUSED } from '../model/servers.ts';
import { type Strategy, USUAL_BOUNDS } from '../model/strategy.ts';
import { recovery } from './strict-recovery.ts';
import { type Protections, WHOLE } from './strict-steps.ts';
import { strictWriter } from './strict-writer.ts';

export const strict: Strategy = strictWith({});

/** The protocol with some protections removed or added, under another name. */
export function strictWith(changes: Partial<Protections>, about: Partial<Strategy> = {}): Strategy {
  const protections: Protections = { ...WHOLE, ...changes };
  const { lease, verifiedIntent, lastingIntent } = protections;
  return {
    name: 'strict',
    title: 'strict here',
    description:
      'Lock, write intent, fenced transaction, publish by compare; readers fill under leases.',
    bounds: { ...USUAL_BOUNDS, recoveries: 1 },
    cache: 'either',
    faults: [CRASH, REFUSED, FORGETS],
    processes: ({ writers, readers, recoveries }): Process[] => [
      ...writerNames(writers).map((name) => mayCrash(strictWriter(name, protections))),
      ...Array.from({ length: recoveries }, (_, index) => mayCrash(recovery(index, protections))),
      ...leasedReaders(readers, { fillsBlindly: !lease, waitsForWriters: verifiedIntent }),
      expiringLock(),
      // An entry with a TTL may disappear at any moment. An intent has none.
      forgetfulCache(({ state }) => state !== 'intent' || !lastingIntent),
    ],
    weaknesses: [],
    ...about,
  };
}
