import type { Registry } from 'prom-client';
import {
  isServedFromCache,
  type GuardStep,
  type KeyedEvent,
  type Telemetry,
  type TelemetryEvent,
  type WritePhases,
} from '../domain/index.ts';
import {
  DirectCounter,
  DirectHistogram,
  type CounterCell,
  type HistogramCell,
} from './direct-metrics.ts';

/** A metric: its name after `lockstep_`, its help text and its labels. */
type MetricRow = readonly [name: string, help: string, labelNames: readonly string[]];

/** Counters of a resource. Each has the label `resource` as well. */
const RESOURCE_COUNTERS = {
  writes: ['writes_total', 'Writes by outcome', ['op', 'outcome', 'code', 'policy']],
  writeReplays: ['write_replays_total', 'Writes answered from their idempotency key', []],
  reads: ['reads_total', 'Reads by source', ['source', 'code']],
  hits: ['cache_hits_total', 'Reads answered from the cache', []],
  misses: ['cache_misses_total', 'Reads of cached resources that went to the database', []],
  replicaReads: ['replica_reads_total', 'Reads offered to replicas', ['result']],
  corruptEntries: ['corrupt_entries_total', 'Reads that found text that is not an entry', []],
  fills: ['cache_fills_total', 'Attempts of readers to fill the cache', ['result']],
  locksAcquired: ['locks_acquired_total', 'Locks acquired on keys', ['contended']],
  lockAttempts: ['lock_attempts_total', 'Attempts to acquire a lock at the lock nodes', []],
  lockFailures: ['lock_failures_total', 'Calls that did not get the lock', ['code']],
  locksLost: ['locks_lost_total', 'Locks lost or expired while held', ['how']],
  writesFenced: ['writes_fenced_total', 'Strict writes refused by a higher fence', []],
  intentsLost: ['intents_lost_total', 'Write intents that the cache lost before a commit', []],
  intentsRecovered: ['intents_recovered_total', 'Abandoned write intents resolved', ['by']],
  invalidations: ['invalidations_total', 'Tombstones placed, other than by writers', ['by']],
  captured: ['captured_changes_total', 'Changed rows from capture triggers', []],
  outboxDeadLettered: ['outbox_dead_lettered_total', 'Outbox rows given up', []],
  auditSamples: ['audit_samples_total', 'Keys compared by audits', []],
  drift: ['audit_drift_total', 'Keys whose entry disagreed with the database', ['class']],
  repairs: ['audit_repairs_total', 'Repairs of drift', ['class', 'result']],
} as const satisfies Record<string, MetricRow>;
type CounterName = keyof typeof RESOURCE_COUNTERS;

const COUNTERS = {
  outboxRelayed: ['outbox_relayed_total', 'Outbox rows finished by the relay', []],
  callsCarriedOut: [
    'invalidation_calls_total',
    'Calls of lockstep_invalidate whose cache steps are done',
    [],
  ],
  changes: ['changelog_changes_total', 'Changed rows from the change log', []],
  changeInvalidations: [
    'changelog_invalidations_total',
    'Cache keys invalidated for changes in the change log',
    [],
  ],
  bypassed: [
    'bypass_changes_total',
    'Changed rows that no write through Lockstep accounts for',
    ['table'],
  ],
  failovers: [
    'cache_failovers_total',
    'Failovers of the cache that this process has swept after',
    [],
  ],
  guards: ['guards_total', 'Guards that were taken, and how they ended', ['step']],
  pruned: ['pruned_rows_total', 'Rows removed from Lockstep’s own tables', ['table']],
} as const satisfies Record<string, MetricRow>;

const HISTOGRAMS = {
  write: ['write_duration_seconds', 'Time of a write until its answer', ['resource', 'policy']],
  writePhase: [
    'write_phase_duration_seconds',
    'Where the time of a write went',
    ['resource', 'policy', 'phase'],
  ],
  read: ['read_duration_seconds', 'Time of a read until its answer', ['resource', 'source']],
  lockWait: ['lock_wait_seconds', 'From asking for a lock until holding it', ['resource']],
  lockHold: ['lock_hold_seconds', 'How long a lock was held', ['resource']],
  outboxDelay: ['outbox_delay_seconds', 'Age of outbox rows when relayed', []],
  callDelay: [
    'invalidation_call_delay_seconds',
    'From a call of lockstep_invalidate, so with the rest of its transaction, until its cache steps were done',
    [],
  ],
  changeDelay: [
    'changelog_delay_seconds',
    'From the oldest commit of a batch of the change log until all of it was done',
    [],
  ],
} as const satisfies Record<string, MetricRow>;

type Families = ReturnType<typeof registerFamilies>;

function registerFamilies(registry: Registry) {
  const registers = [registry];
  const config = ([name, help, labelNames]: MetricRow) => ({
    name: `lockstep_${name}`,
    help,
    labelNames,
    registers,
  });
  return {
    ofResource: mapValues(
      RESOURCE_COUNTERS,
      ([name, help, labels]) => new DirectCounter(config([name, help, ['resource', ...labels]])),
    ),
    counters: mapValues(COUNTERS, (row) => new DirectCounter(config(row))),
    histograms: mapValues(HISTOGRAMS, (row) => new DirectHistogram(config(row))),
  };
}

function mapValues<Name extends string, Made>(
  rows: Record<Name, MetricRow>,
  make: (row: MetricRow) => Made,
): Record<Name, Made> {
  const entries = Object.entries<MetricRow>(rows).map(([name, row]) => [name, make(row)]);
  return Object.fromEntries(entries) as Record<Name, Made>;
}

/** Cells by label value, made at the first use of each. */
type Cells<Cell> = Map<string, Cell>;

/** Phases of a write in the order in which it goes through them, by their field. */
const PHASES = [
  ['queueMs', 'queue'],
  ['lockMs', 'lock'],
  ['intentMs', 'intent'],
  ['transactionMs', 'transaction'],
  ['publishMs', 'publish'],
] as const satisfies readonly (readonly [keyof WritePhases, string])[];

/**
 * Turns telemetry into Prometheus counters and histograms. Labels are configured names and codes, never keys.
 *
 * This is on the hot path: each resource keeps its cells, so an event only looks one up and adds to it.
 */
export class PrometheusTelemetry implements Telemetry {
  readonly #families: Families;
  readonly #resources = new Map<string, ResourceCells>();
  readonly #relayed: CounterCell;
  readonly #relayDelay: HistogramCell;
  readonly #calls: CounterCell;
  readonly #callDelay: HistogramCell;
  readonly #changes: CounterCell;
  readonly #changeInvalidations: CounterCell;
  readonly #changeDelay: HistogramCell;
  readonly #failovers: CounterCell;
  readonly #guards: Record<GuardStep, CounterCell>;
  readonly #bypassed: Cells<CounterCell> = new Map();
  readonly #pruned: Cells<CounterCell> = new Map();

  constructor(registry: Registry) {
    this.#families = registerFamilies(registry);
    const { counters, histograms } = this.#families;
    this.#relayed = counters.outboxRelayed.cell({});
    this.#relayDelay = histograms.outboxDelay.cell({});
    this.#calls = counters.callsCarriedOut.cell({});
    this.#callDelay = histograms.callDelay.cell({});
    this.#changes = counters.changes.cell({});
    this.#changeInvalidations = counters.changeInvalidations.cell({});
    this.#changeDelay = histograms.changeDelay.cell({});
    this.#failovers = counters.failovers.cell({});
    this.#guards = {
      taken: counters.guards.cell({ step: 'taken' }),
      committed: counters.guards.cell({ step: 'committed' }),
      rolled_back: counters.guards.cell({ step: 'rolled_back' }),
      lost: counters.guards.cell({ step: 'lost' }),
    };
  }

  emit(event: TelemetryEvent): void {
    switch (event.type) {
      case 'outbox-relayed':
        this.#relayed.count += event.count;
        this.#relayDelay.observeMs(event.delayMs);
        return;
      case 'calls-carried-out':
        this.#calls.count += event.count;
        this.#callDelay.observeMs(event.delayMs);
        return;
      case 'outbox-dead-lettered':
        this.#cellsOf(event.resource).add('outboxDeadLettered', '');
        return;
      case 'replica-asked':
        this.#cellsOf(event.resource.name).add('replicaReads', event.result);
        return;
      case 'changes-followed':
        return this.#followed(event);
      case 'cache-failed-over':
        this.#failovers.count += 1;
        return;
      case 'guard':
        this.#guards[event.step].count += 1;
        return;
      case 'pruned':
        countIn(this.#pruned, this.#families.counters.pruned, event.table, event.rows);
        return;
      case 'changes-captured':
        this.#cellsOf(event.resource.name).add('captured', '', event.count);
        return;
      case 'audit-sampled':
        this.#cellsOf(event.resource.name).add('auditSamples', '', event.count);
        return;
      default:
        return this.#cellsOf(event.key.resource.name).emit(event);
    }
  }

  #followed(event: Extract<TelemetryEvent, { type: 'changes-followed' }>): void {
    this.#changes.count += event.changes;
    this.#changeInvalidations.count += event.invalidations;
    this.#changeDelay.observeMs(event.lagMs);
    for (const [table, changes] of event.bypassed)
      countIn(this.#bypassed, this.#families.counters.bypassed, table, changes);
  }

  #cellsOf(resource: string): ResourceCells {
    let cells = this.#resources.get(resource);
    if (cells === undefined) {
      cells = new ResourceCells(this.#families, resource);
      this.#resources.set(resource, cells);
    }
    return cells;
  }
}

type WriteEvent = Extract<TelemetryEvent, { type: 'write' }>;

/** Everything counted for one resource. */
class ResourceCells {
  readonly #families: Families;
  readonly #resource: string;
  readonly #lockWait: HistogramCell;
  readonly #lockHold: HistogramCell;
  /** By policy: a resource may be switched to another one, and back. */
  readonly #written: Cells<WriteCells> = new Map();
  readonly #readSeconds: Cells<HistogramCell> = new Map();
  /** By family, then by label values joined by a space. */
  readonly #counters = new Map<CounterName, Cells<CounterCell>>();

  constructor(families: Families, resource: string) {
    this.#families = families;
    this.#resource = resource;
    this.#lockWait = families.histograms.lockWait.cell({ resource });
    this.#lockHold = families.histograms.lockHold.cell({ resource });
  }

  emit(event: KeyedEvent): void {
    switch (event.type) {
      case 'write':
        return this.#write(event);
      case 'read':
        return this.#read(event);
      case 'corrupt-entry':
        return this.add('corruptEntries', '');
      case 'fill':
        return this.add('fills', event.result);
      case 'lock-acquired':
        this.#lockWait.observeMs(event.waitMs);
        this.add('lockAttempts', '', event.attempts);
        return this.add('locksAcquired', event.contended ? 'true' : 'false');
      case 'lock-released':
        return this.#lockHold.observeMs(event.heldMs);
      case 'lock-lost':
        this.#lockHold.observeMs(event.heldMs);
        return this.add('locksLost', event.how);
      case 'lock-failed':
        this.add('lockAttempts', '', event.attempts);
        return this.add('lockFailures', event.code);
      case 'write-fenced':
        return this.add('writesFenced', '');
      case 'intent-lost':
        return this.add('intentsLost', '');
      case 'intent-recovered':
        return this.add('intentsRecovered', event.by);
      case 'invalidated':
        return this.add('invalidations', event.by);
      case 'drift-found':
        return this.add('drift', event.class);
      case 'drift-repaired':
        return this.add('repairs', `${event.class} ${event.ok ? 'repaired' : 'failed'}`);
    }
  }

  /** Adds to a counter under these label values (joined by a space, in the family's order). */
  add(name: CounterName, values: string, count = 1): void {
    let cells = this.#counters.get(name);
    if (cells === undefined) this.#counters.set(name, (cells = new Map<string, CounterCell>()));
    let cell = cells.get(values);
    if (cell === undefined) cells.set(values, (cell = this.#newCounter(name, values)));
    cell.count += count;
  }

  #write(event: WriteEvent): void {
    const { policy } = event.key.resource;
    this.add('writes', `${event.op} ${event.outcome} ${event.code ?? ''} ${policy}`);
    if (event.replayed) this.add('writeReplays', '');
    let written = this.#written.get(policy);
    if (written === undefined) {
      written = new WriteCells(this.#families, this.#resource, policy);
      this.#written.set(policy, written);
    }
    written.add(event);
  }

  #read(event: Extract<KeyedEvent, { type: 'read' }>): void {
    const source = event.source ?? 'none';
    this.add('reads', `${source} ${event.code ?? ''}`);
    let seconds = this.#readSeconds.get(source);
    if (seconds === undefined) {
      seconds = this.#families.histograms.read.cell({ resource: this.#resource, source });
      this.#readSeconds.set(source, seconds);
    }
    seconds.observeMs(event.totalMs);
    if (event.source === null || !isServedFromCache(event.key.resource)) return;
    this.add(event.source === 'cache' ? 'hits' : 'misses', '');
  }

  #newCounter(name: CounterName, values: string): CounterCell {
    const labels = RESOURCE_COUNTERS[name][2];
    const parts = values.split(' ');
    const named: Record<string, string> = { resource: this.#resource };
    for (const [index, label] of labels.entries()) named[label] = parts[index] ?? '';
    return this.#families.ofResource[name].cell(named);
  }
}

/** Where the time of one resource's writes by one policy went. */
class WriteCells {
  readonly #families: Families;
  readonly #labels: { resource: string; policy: string };
  readonly #seconds: HistogramCell;
  /** Phases that these writes have gone through. */
  readonly #phases: Cells<HistogramCell> = new Map();

  constructor(families: Families, resource: string, policy: string) {
    this.#families = families;
    this.#labels = { resource, policy };
    this.#seconds = families.histograms.write.cell(this.#labels);
  }

  add({ totalMs, phases }: WriteEvent): void {
    this.#seconds.observeMs(totalMs);
    for (const [field, phase] of PHASES) {
      const valueMs = phases[field];
      if (valueMs !== undefined) this.#phase(phase).observeMs(valueMs);
    }
  }

  #phase(phase: string): HistogramCell {
    let cell = this.#phases.get(phase);
    if (cell === undefined) {
      cell = this.#families.histograms.writePhase.cell({ ...this.#labels, phase });
      this.#phases.set(phase, cell);
    }
    return cell;
  }
}

/** Adds to the counter of a table of Lockstep's, or of one that is followed. */
function countIn(
  cells: Cells<CounterCell>,
  counter: DirectCounter<string>,
  table: string,
  by: number,
): void {
  let cell = cells.get(table);
  if (cell === undefined) {
    cell = counter.cell({ table });
    cells.set(table, cell);
  }
  cell.count += by;
}
