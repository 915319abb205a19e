/**
 * One audit run: draw a sample, compare, wait out the grace period, look at the mismatches again, repair by rule.
 *
 * A mismatch counts as drift only if on the second look the cache holds the very same text and the row still disagrees
 * with it. A write in flight replaces the entry (by an intent, a tombstone or its value), so it does not count as drift. A side that does not answer ends the run as failed; nothing is concluded from its silence.
 */
import { DRIFT_CLASSES, type DriftClass, type RepairRule } from '@lockstep/shared';
import { keyFromText, type Key, type Resource } from '../domain/index.ts';
import { findingOf } from './finding.ts';
import { digestOf, observe, type Observation, type ObservationPorts } from './observation.ts';
import { repair, type RepairPorts } from './repair.ts';
import { drawSample, type Candidate, type SamplingPorts } from './sampling.ts';
import type { AuditStore, RunCounts } from './store.ts';

/** Keys that are read at once; between two batches the servers get a pause. */
const BATCH_KEYS = 200;
const BATCH_PAUSE_MS = 20;
/** At most 50 repairs a second. */
const REPAIR_PAUSE_MS = 20;
/** Open findings that a run looks at again, to close those that have gone away by themselves. */
const MAX_RECHECKED = 200;

export interface RunPorts {
  observation: ObservationPorts;
  sampling: SamplingPorts;
  repair: RepairPorts;
  store: AuditStore;
}

export interface RunOptions {
  runId: string;
  sample: number;
  graceMs: number;
  rule: RepairRule;
  /** Aborted when the service stops. */
  signal: AbortSignal;
  /** Called before anything is read or repaired; throws where the run may not go on. */
  assertMayGoOn(): void;
}

interface Suspect {
  candidate: Candidate;
  digest: string;
}

/** Counts of a run that has found nothing yet. */
export function noCounts(): RunCounts {
  return {
    sampled: 0,
    drift: { stale: 0, orphan: 0, 'negative-stale': 0, corrupt: 0, 'no-ttl': 0 },
    repaired: 0,
    failed: 0,
  };
}

/**
 * Runs one audit; `counts` holds what was found even when it rejects.
 * @throws LockstepError `CACHE_UNAVAILABLE`, `DATABASE_UNAVAILABLE`, and what `assertMayGoOn` throws
 */
export async function runAudit(
  ports: RunPorts,
  resource: Resource,
  options: RunOptions,
  counts: RunCounts,
): Promise<void> {
  const { timers } = ports.repair.runtime;
  options.assertMayGoOn();
  const candidates = await drawSample(ports.sampling, resource, options.sample);
  const suspects = await compareSample(ports, resource, candidates, options, counts);
  if (suspects.length > 0) {
    await timers.sleep(options.graceMs, options.signal);
    await confirm(ports, resource, suspects, options, counts);
  }
  await recheckOpen(ports, resource, options);
  const drift = DRIFT_CLASSES.reduce((sum, name) => sum + counts.drift[name], 0);
  ports.repair.telemetry.emit({ type: 'audit-sampled', resource, count: counts.sampled, drift });
}

async function compareSample(
  ports: RunPorts,
  resource: Resource,
  candidates: readonly Candidate[],
  options: RunOptions,
  counts: RunCounts,
): Promise<Suspect[]> {
  const suspects: Suspect[] = [];
  for (const batch of batches(candidates)) {
    options.assertMayGoOn();
    for (const observation of await observe(ports.observation, resource, batch)) {
      // A key that is being written gives no sample of either kind.
      if (observation.comparison === 'being-written') continue;
      counts.sampled += 1;
      if (driftOf(observation) === null) continue;
      const digest = digestOf(observation.stored?.text ?? '');
      suspects.push({ candidate: observation.candidate, digest });
    }
    await ports.repair.runtime.timers.sleep(BATCH_PAUSE_MS, options.signal);
  }
  return suspects;
}

async function confirm(
  ports: RunPorts,
  resource: Resource,
  suspects: readonly Suspect[],
  options: RunOptions,
  counts: RunCounts,
): Promise<void> {
  for (const batch of batches(suspects)) {
    options.assertMayGoOn();
    const candidates = batch.map(({ candidate }) => candidate);
    const observations = await observe(ports.observation, resource, candidates);
    for (const [index, observation] of observations.entries()) {
      const drift = driftOf(observation);
      if (drift === null || observation.stored === null) continue;
      if (digestOf(observation.stored.text) !== batch[index]?.digest) continue;
      options.assertMayGoOn();
      counts.drift[drift] += 1;
      await settle(ports, observation, drift, options, counts);
    }
  }
}

/** Stores the finding, repairs it by the rule, and stores what became of it. */
async function settle(
  ports: RunPorts,
  observation: Observation,
  drift: DriftClass,
  { runId, rule, signal }: RunOptions,
  counts: RunCounts,
): Promise<void> {
  const { telemetry, runtime } = ports.repair;
  telemetry.emit({ type: 'drift-found', key: observation.candidate.key, class: drift });
  const finding = findingOf(observation, drift, runId, runtime.clock.wallMs());
  const id = await ports.store.addFinding(finding);
  if (rule === 'report') return;
  const outcome = await repair(ports.repair, observation, drift, rule);
  const error = outcome.status === 'failed' ? outcome.error : null;
  await ports.store.settleFinding(id, outcome.status, { rule, error: error?.message ?? null });
  if (outcome.status === 'repaired') counts.repaired += 1;
  if (error !== null) {
    counts.failed += 1;
    if (error.code === 'CACHE_UNAVAILABLE' || error.code === 'DATABASE_UNAVAILABLE') throw error;
  }
  await runtime.timers.sleep(REPAIR_PAUSE_MS, signal);
}

/** Closes findings whose key agrees by now: it was written, expired, or was put right by hand. They are no part of the sample. */
async function recheckOpen(
  ports: RunPorts,
  resource: Resource,
  options: RunOptions,
): Promise<void> {
  options.assertMayGoOn();
  const open = await ports.store.openKeys(resource.name, MAX_RECHECKED);
  const known = open.flatMap(({ id, keyText }) => {
    const key = keyOrNull(resource, keyText);
    return key === null ? [] : [{ id, candidate: { key, from: 'recent' as const } }];
  });
  for (const batch of batches(known)) {
    const candidates = batch.map(({ candidate }) => candidate);
    const observations = await observe(ports.observation, resource, candidates);
    for (const [index, { comparison }] of observations.entries()) {
      const id = batch[index]?.id;
      if (comparison === 'agrees' && id !== undefined) {
        await ports.store.settleFinding(id, 'superseded', null);
      }
    }
  }
}

function driftOf({ comparison }: Observation): DriftClass | null {
  return comparison === 'agrees' || comparison === 'being-written' ? null : comparison;
}

/** Null where the resource's key columns have changed since the text was stored. */
function keyOrNull(resource: Resource, keyText: string): Key | null {
  try {
    return keyFromText(resource, keyText);
  } catch {
    return null;
  }
}

function* batches<T>(all: readonly T[]): Generator<readonly T[]> {
  for (let at = 0; at < all.length; at += BATCH_KEYS) yield all.slice(at, at + BATCH_KEYS);
}
