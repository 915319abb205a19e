/**
 * Compares a sample, and looks at what differs a second time.
 *
 * A mismatch counts as drift only if on the second look the cache holds the very same text and the row still disagrees
 * with it. A write in flight replaces the entry (by an intent, a tombstone or its value), so it does not count as drift.
 */
import type { DriftClass } from '@lockstep/shared';
import type { Resource } from '../domain/index.ts';
import type { Runtime } from '../runtime/index.ts';
import { digestOf, observe, type Observation } from './observation.ts';
import type { ComparedStores } from './port.ts';
import type { Candidate } from './sampling.ts';

/** Keys that are read at once; between two batches the servers get a pause. */
const BATCH_KEYS = 200;
const BATCH_PAUSE_MS = 20;

/** A key whose entry differs from its row. */
export interface Suspect {
  candidate: Candidate;
  digest: string;
}

interface LookOptions {
  resource: Resource;
  signal: AbortSignal;
  /** Called before anything is read; throws if the look may not go on. */
  assertMayGoOn: () => void;
}

/** What one batch has shown. */
interface Looked {
  /** Keys that are not being written. */
  sampled: number;
  /** Those of them of which the cache holds a value, or something unreadable. */
  compared: number;
  suspects: Suspect[];
}

export async function* suspectsAmong(
  ports: ComparedStores & { runtime: Pick<Runtime, 'timers'> },
  candidates: readonly Candidate[],
  { resource, signal, assertMayGoOn }: LookOptions,
): AsyncGenerator<Looked> {
  for (const batch of batches(candidates)) {
    assertMayGoOn();
    // A key that is being written gives no sample of either kind.
    const sampled = (await observe(ports, resource, batch)).filter(
      ({ comparison }) => comparison !== 'being-written',
    );
    const compared = sampled.filter(({ stored }) => isComparable(stored?.entry.state));
    const suspects = sampled.flatMap((observation) =>
      driftOf(observation) === null
        ? []
        : [
            {
              candidate: observation.candidate,
              digest: digestOf(observation.stored?.text ?? ''),
            },
          ],
    );
    yield { sampled: sampled.length, compared: compared.length, suspects };
    await ports.runtime.timers.sleep(BATCH_PAUSE_MS, signal);
  }
}

/** Those that still differ, and in the same way. */
export async function* confirmed(
  ports: ComparedStores,
  suspects: readonly Suspect[],
  { resource, assertMayGoOn }: LookOptions,
): AsyncGenerator<{ observation: Observation; drift: DriftClass }> {
  for (const batch of batches(suspects)) {
    assertMayGoOn();
    const candidates = batch.map(({ candidate }) => candidate);
    const observations = await observe(ports, resource, candidates);
    for (const [index, observation] of observations.entries()) {
      const drift = driftOf(observation);
      if (drift === null || observation.stored === null) continue;
      if (digestOf(observation.stored.text) === batch[index]?.digest) yield { observation, drift };
    }
  }
}

export function driftOf({ comparison }: Observation): DriftClass | null {
  return comparison === 'agrees' || comparison === 'being-written' ? null : comparison;
}

const isComparable = (state: string | undefined): boolean =>
  state === 'value' || state === 'corrupt';

export function* batches<T>(all: readonly T[]): Generator<readonly T[]> {
  for (let at = 0; at < all.length; at += BATCH_KEYS) yield all.slice(at, at + BATCH_KEYS);
}
