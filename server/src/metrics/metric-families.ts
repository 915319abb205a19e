import type { Registry } from 'prom-client';
import {
  DirectCounter,
  DirectHistogram,
  type CounterCell,
  type HistogramCell,
} from './direct-metrics.ts';

/** Counters of a resource: name in the code, metric name, help, labels beside `resource`. */
const COUNTERS = {
  writes: ['writes_total', 'Writes by outcome', ['op', 'outcome', 'code', 'policy']],
  writeReplays: ['write_replays_total', 'Writes answered from their idempotency key', []],
  reads: ['reads_total', 'Reads by source', ['source', 'code']],
  hits: ['cache_hits_total', 'Reads answered from the cache', []],
  misses: ['cache_misses_total', 'Reads of cached resources that went to the database', []],
  replicaReads: ['replica_reads_total', 'Reads offered to replicas', ['result']],
  corruptEntries: ['corrupt_entries_total', 'Reads that met text which is no entry', []],
  fills: ['cache_fills_total', 'Attempts of readers to fill the cache', ['result']],
  locksAcquired: ['locks_acquired_total', 'Locks acquired on keys', ['contended']],
  lockAttempts: ['lock_attempts_total', 'Attempts at the lock nodes', []],
  lockFailures: ['lock_failures_total', 'Calls that did not get the lock', ['code']],
  locksLost: ['locks_lost_total', 'Locks lost or expired while held', ['how']],
  writesFenced: ['writes_fenced_total', 'Strict writes refused by a higher fence', []],
  intentsLost: ['intents_lost_total', 'Write intents that the cache lost before a commit', []],
  intentsRecovered: ['intents_recovered_total', 'Abandoned write intents resolved', ['by']],
  invalidations: ['invalidations_total', 'Tombstones left, other than by writers', ['by']],
  outboxDeadLettered: ['outbox_dead_lettered_total', 'Outbox rows given up', []],
  auditSamples: ['audit_samples_total', 'Keys compared by audits', []],
  drift: ['audit_drift_total', 'Keys whose entry disagreed with the database', ['class']],
  repairs: ['audit_repairs_total', 'Repairs of drift', ['class', 'result']],
} as const satisfies Record<string, readonly [string, string, readonly string[]]>;

export type CounterName = keyof typeof COUNTERS;

/** Every counter and histogram of the engine. */
export interface Families {
  counters: Record<CounterName, { counter: DirectCounter<string>; labels: readonly string[] }>;
  writeSeconds: DirectHistogram<'resource' | 'policy'>;
  writePhases: DirectHistogram<'resource' | 'policy' | 'phase'>;
  readSeconds: DirectHistogram<'resource' | 'source'>;
  lockWait: DirectHistogram<'resource'>;
  lockHold: DirectHistogram<'resource'>;
  outboxRelayedAll: CounterCell;
  outboxDelayAll: HistogramCell;
  changesFollowed: CounterCell;
  changeInvalidations: CounterCell;
  changeLag: HistogramCell;
  /** Cells by table. */
  bypassChanges: DirectCounter<string>;
  /** Cells by table. */
  pruned: DirectCounter<string>;
}

/** Registers them all under `lockstep_`. */
export function createFamilies(registry: Registry): Families {
  const registers = [registry];
  const histogram = <Name extends string>(
    name: string,
    help: string,
    labelNames: readonly Name[],
  ): DirectHistogram<Name> =>
    new DirectHistogram<Name>({ name: `lockstep_${name}`, help, labelNames, registers });
  const counter = (name: string, help: string, labelNames: string[]): DirectCounter<string> =>
    new DirectCounter<string>({ name: `lockstep_${name}`, help, labelNames, registers });
  const family = (name: CounterName): Families['counters'][CounterName] => {
    const [metric, help, labels] = COUNTERS[name];
    return { counter: counter(metric, help, ['resource', ...labels]), labels };
  };
  const names = Object.keys(COUNTERS) as CounterName[];
  const counters = Object.fromEntries(names.map((name) => [name, family(name)]));
  return {
    counters: counters as Families['counters'],
    writeSeconds: histogram('write_duration_seconds', 'Time of a write until its answer', [
      'resource',
      'policy',
    ]),
    writePhases: histogram('write_phase_duration_seconds', 'Where the time of a write went', [
      'resource',
      'policy',
      'phase',
    ]),
    readSeconds: histogram('read_duration_seconds', 'Time of a read until its answer', [
      'resource',
      'source',
    ]),
    lockWait: histogram('lock_wait_seconds', 'From asking for a lock until holding it', [
      'resource',
    ]),
    lockHold: histogram('lock_hold_seconds', 'How long a lock was held', ['resource']),
    outboxRelayedAll: counter('outbox_relayed_total', 'Outbox rows finished by the relay', []).cell(
      {},
    ),
    outboxDelayAll: histogram('outbox_delay_seconds', 'Age of outbox rows when relayed', []).cell(
      {},
    ),
    changesFollowed: counter(
      'changelog_changes_total',
      'Changed rows from the change log',
      [],
    ).cell({}),
    changeInvalidations: counter(
      'changelog_invalidations_total',
      'Cache keys invalidated for changes in the change log',
      [],
    ).cell({}),
    changeLag: histogram(
      'changelog_delay_seconds',
      'From the oldest commit of a stretch of the change log until all of it was done',
      [],
    ).cell({}),
    bypassChanges: counter(
      'bypass_changes_total',
      'Changed rows that no write through Lockstep accounts for',
      ['table'],
    ),
    pruned: counter('pruned_rows_total', 'Rows removed from tables of Lockstep’s own', ['table']),
  };
}
