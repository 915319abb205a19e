import type { Registry } from 'prom-client';
import {
  isCached,
  type Telemetry,
  type TelemetryEvent,
  type WritePhases,
} from '../domain/index.ts';
import type { CounterCell, DirectCounter, HistogramCell } from './direct-metrics.ts';
import { createFamilies, type CounterName, type Families } from './metric-families.ts';

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
 * Turns telemetry into Prometheus counters and histograms. Labels are configured names and codes, never a key.
 *
 * This is on the hot path: each resource has its cells ready, and an event only looks one up and adds to it.
 */
export class PrometheusTelemetry implements Telemetry {
  readonly #families: Families;
  readonly #resources = new Map<string, ResourceCells>();
  readonly #bypassed: Cells<CounterCell> = new Map();
  readonly #pruned: Cells<CounterCell> = new Map();

  constructor(registry: Registry) {
    this.#families = createFamilies(registry);
  }

  emit(event: TelemetryEvent): void {
    switch (event.type) {
      case 'outbox-relayed':
        this.#families.outboxRelayedAll.count += event.count;
        this.#families.outboxDelayAll.observeMs(event.delayMs);
        return;
      case 'outbox-dead-lettered':
        this.#cellsOf(event.resource).add('outboxDeadLettered', '');
        return;
      case 'replica-asked':
        this.#cellsOf(event.resource.name).add('replicaReads', event.result);
        return;
      case 'changes-followed':
        return this.#followed(event);
      case 'pruned':
        countIn(this.#pruned, this.#families.pruned, event.table, event.rows);
        return;
      case 'audit-sampled':
        this.#cellsOf(event.resource.name).add('auditSamples', '', event.count);
        return;
      default:
        return this.#cellsOf(event.key.resource.name).emit(event);
    }
  }

  #followed(event: Extract<TelemetryEvent, { type: 'changes-followed' }>): void {
    this.#families.changesFollowed.count += event.changes;
    this.#families.changeInvalidations.count += event.invalidations;
    this.#families.changeLag.observeMs(event.lagMs);
    for (const [table, changes] of event.bypassed)
      countIn(this.#bypassed, this.#families.bypassChanges, table, changes);
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

type KeyedEvent = Extract<TelemetryEvent, { key: { text: string } }>;
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
    this.#lockWait = families.lockWait.cell({ resource });
    this.#lockHold = families.lockHold.cell({ resource });
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
      seconds = this.#families.readSeconds.cell({ resource: this.#resource, source });
      this.#readSeconds.set(source, seconds);
    }
    seconds.observeMs(event.totalMs);
    if (event.source === null || !isCached(event.key.resource)) return;
    this.add(event.source === 'cache' ? 'hits' : 'misses', '');
  }

  #newCounter(name: CounterName, values: string): CounterCell {
    const { counter, labels } = this.#families.counters[name];
    const parts = values.split(' ');
    const named: Record<string, string> = { resource: this.#resource };
    for (const [index, label] of labels.entries()) named[label] = parts[index] ?? '';
    return counter.cell(named);
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
    this.#seconds = families.writeSeconds.cell(this.#labels);
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
      cell = this.#families.writePhases.cell({ ...this.#labels, phase });
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
