/**
 * One audit run: draw a sample, compare, wait out the grace period, look at the mismatches again, repair by rule.
 *
 * A mismatch counts as drift only if on the second look the cache holds the very same text and the row still disagrees
 * with it. A write in flight replaces the entry (by an intent, a tombstone or its value), so it does not count as drift.
 * A side that does not answer ends the run as failed; nothing is concluded from its silence.
 */
import { DRIFT_CLASSES, type DriftClass, type RepairRule } from '@lockstep/shared';
import { keyFromText, type Key, type Resource } from '../domain/index.ts';
import { findingOf } from './finding.ts';
import { observe, type Observation } from './observation.ts';
import type { AuditPorts, RunCounts } from './port.ts';
import { repair } from './repair.ts';
import { drawSample, type Candidate } from './sampling.ts';
import { batches, confirmed, type Suspect, suspectsAmong } from './suspects.ts';

/** At most 50 repairs a second. */
const REPAIR_PAUSE_MS = 20;
/** Open findings that a run looks at again, to close those that have gone away by themselves. */
const MAX_RECHECKED = 200;

export interface AuditRunOptions {
  runId: string;
  resource: Resource;
  sample: number;
  graceMs: number;
  rule: RepairRule;
  /** Aborted when the service stops. */
  signal: AbortSignal;
  /** Called before anything is read or repaired; throws if the run may not go on. */
  assertMayGoOn: () => void;
}

export class AuditRun {
  /** What has been found so far, even when `run` rejects. */
  readonly counts: RunCounts = {
    sampled: 0,
    drift: { stale: 0, orphan: 0, 'negative-stale': 0, corrupt: 0, 'no-ttl': 0 },
    repaired: 0,
    failed: 0,
  };
  readonly #ports: AuditPorts;
  readonly #options: AuditRunOptions;

  constructor(ports: AuditPorts, options: AuditRunOptions) {
    this.#ports = ports;
    this.#options = options;
  }

  /** @throws LockstepError `CACHE_UNAVAILABLE`, `DATABASE_UNAVAILABLE`, and what `assertMayGoOn` throws */
  async run(): Promise<void> {
    const { telemetry, runtime } = this.#ports;
    const { resource, sample, graceMs, signal, assertMayGoOn } = this.#options;
    assertMayGoOn();
    const suspects = await this.#compare(await drawSample(this.#ports, resource, sample));
    if (suspects.length > 0) {
      await runtime.timers.sleep(graceMs, signal);
      await this.#confirm(suspects);
    }
    await this.#recheckOpen();
    const drift = DRIFT_CLASSES.reduce((sum, name) => sum + this.counts.drift[name], 0);
    telemetry.emit({ type: 'audit-sampled', resource, count: this.counts.sampled, drift });
  }

  async #compare(candidates: readonly Candidate[]): Promise<Suspect[]> {
    const suspects: Suspect[] = [];
    for await (const found of suspectsAmong(this.#ports, candidates, this.#options)) {
      this.counts.sampled += found.sampled;
      suspects.push(...found.suspects);
    }
    return suspects;
  }

  async #confirm(suspects: readonly Suspect[]): Promise<void> {
    const { assertMayGoOn } = this.#options;
    for await (const { observation, drift } of confirmed(this.#ports, suspects, this.#options)) {
      assertMayGoOn();
      this.counts.drift[drift] += 1;
      await this.#resolve(observation, drift);
    }
  }

  /** Stores the finding, repairs it by the rule, and stores what became of it. */
  async #resolve(observation: Observation, drift: DriftClass): Promise<void> {
    const { store, telemetry, runtime } = this.#ports;
    const { runId, rule, signal } = this.#options;
    telemetry.emit({ type: 'drift-found', key: observation.candidate.key, class: drift });
    const finding = findingOf(observation, drift, runId, runtime.clock.wallMs());
    const id = await store.addFinding(finding);
    if (rule === 'report') return;
    const outcome = await repair(this.#ports, observation, drift, rule);
    const error = outcome.status === 'failed' ? outcome.error : null;
    await store.resolveFinding(id, outcome.status, { rule, error: error?.message ?? null });
    if (outcome.status === 'repaired') this.counts.repaired += 1;
    if (error !== null) {
      this.counts.failed += 1;
      if (error.code === 'CACHE_UNAVAILABLE' || error.code === 'DATABASE_UNAVAILABLE') throw error;
    }
    await runtime.timers.sleep(REPAIR_PAUSE_MS, signal);
  }

  /** Closes findings whose key agrees by now: it was written, expired, or was put right by hand. They are no part of the sample. */
  async #recheckOpen(): Promise<void> {
    const { store } = this.#ports;
    const { resource, assertMayGoOn } = this.#options;
    assertMayGoOn();
    const open = await store.openKeys(resource.name, MAX_RECHECKED);
    const known = open.flatMap(({ id, keyText }) => {
      const key = keyOrNull(resource, keyText);
      return key === null ? [] : [{ id, candidate: { key, from: 'recent' as const } }];
    });
    for (const batch of batches(known)) {
      const candidates = batch.map(({ candidate }) => candidate);
      const observations = await observe(this.#ports, resource, candidates);
      for (const [index, { comparison }] of observations.entries()) {
        const id = batch[index]?.id;
        if (comparison === 'agrees' && id !== undefined)
          await store.resolveFinding(id, 'superseded', null);
      }
    }
  }
}

/** Null if the resource's key columns have changed since the text was stored. */
function keyOrNull(resource: Resource, keyText: string): Key | null {
  try {
    return keyFromText(resource, keyText);
  } catch {
    return null;
  }
}
