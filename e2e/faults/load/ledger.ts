/**
 * The calls of a run and their answers: the history for the checkers, and beside it the marks by which the database's
 * own record of changes is compared with it.
 */
import { HistoryRecorder, type Invocation } from '@lockstep/checkers';
import { Cards } from './cards.ts';
import type { Ending } from './ending.ts';
import { Inserts } from './inserts.ts';
import { FAULT_RESOURCES, type FaultResource } from '../cluster/tables.ts';

/** One request for a change, with all its repeats (they carry one mark). */
export interface MarkedWrite {
  resource: FaultResource;
  id: number;
  op: 'write' | 'increment' | 'cas' | 'delete';
  /** The number that it puts; null for an increment and a delete. */
  n: number | null;
  /** How each sending of it ended; one that is still open counts as unknown. */
  endings: Ending[];
}

export interface Tally {
  ok: number;
  fail: number;
  unknown: number;
}

/** Refusals that the row's own state gives: the call was answered, as well as one that did its work. */
const ANSWERS = ['MISS', 'NOT_FOUND', 'CONSTRAINT', 'VERSION_MISMATCH'];

export class Ledger {
  /** The history, a line each. */
  readonly lines: string[] = [];
  readonly writes = new Map<string, MarkedWrite>();
  readonly tally: Tally = { ok: 0, fail: 0, unknown: 0 };
  /** Calls of the computed resource. */
  readonly cards = new Cards();
  readonly inserts: Inserts;
  /** Answers that no fault excuses. */
  readonly defects: string[] = [];
  /** How often each code was answered. */
  readonly codes = new Map<string, number>();
  readonly #recorder: HistoryRecorder;
  readonly #run: string;
  #marks = 0;

  /** @param run distinguishes this run's marks from those of others on the same database */
  constructor(run: string) {
    this.#run = run;
    this.inserts = new Inserts(run);
    this.#recorder = new HistoryRecorder({
      resources: Object.fromEntries(
        Object.entries(FAULT_RESOURCES).map(([name, { policy }]) => [name, { policy }]),
      ),
      nowMs: () => performance.now(),
      write: (line) => void this.lines.push(line),
    });
  }

  /** Calls that got their answer so far. */
  get answered(): number {
    const others = this.cards.answered + this.inserts.answered;
    return ANSWERS.reduce((sum, code) => sum + (this.codes.get(code) ?? 0), this.tally.ok + others);
  }

  newClient(): number {
    return this.#recorder.newClient();
  }

  /** A mark for a write that is about to be sent. */
  mark(write: Omit<MarkedWrite, 'endings'>): string {
    this.#marks += 1;
    const mark = `${this.#run}-${this.#marks}`;
    this.writes.set(mark, { ...write, endings: [] });
    return mark;
  }

  /** Just before the request goes out. */
  invoke(invocation: Invocation): number {
    return this.#recorder.invoke(invocation);
  }

  /** Just after its answer came. */
  complete(id: number, ending: Ending, mark?: string): void {
    this.tally[ending.e] += 1;
    if (ending.e === 'ok') this.#recorder.ok(id, ending.answer);
    else {
      this.codes.set(ending.code, (this.codes.get(ending.code) ?? 0) + 1);
      if (ending.e === 'fail') this.#recorder.fail(id, ending.code);
      else this.#recorder.unknown(id, ending.code);
    }
    if (mark === undefined) return;
    const write = this.writes.get(mark);
    write?.endings.push(ending);
    if (write !== undefined && ending.e === 'ok') this.#acknowledge(write, ending);
  }

  #acknowledge(
    { resource, id }: MarkedWrite,
    { answer: { version = 0, cache } }: Extract<Ending, { e: 'ok' }>,
  ): void {
    if (cache === 'fresh' || cache === 'invalidated')
      this.cards.acknowledged(resource, id, version);
  }
}
