/** A strategy within bounds, as a machine: its states, and every possible next step from each state. */
import {
  CRASHED,
  DONE,
  type Draft,
  type Finding,
  freshMemory,
  type Memory,
  type Next,
  type Process,
  type Step,
} from '../model/process.ts';
import type { Bounds, Strategy } from '../model/strategy.ts';
import { firstWorld, storedValue, type World } from '../model/world.ts';

export interface State {
  readonly world: Readonly<World>;
  /** What each process remembers, in the order of the machine's processes. */
  readonly memories: readonly Memory[];
}

/** One step as a diagram shows it: an arrow between two lifelines, or a mark on one if both are the same. */
export interface Move {
  readonly from: string;
  readonly to: string;
  /** The request. */
  readonly label: string;
  /** The answer. */
  readonly note: string;
  /** The name of the fault, if the step is one; else null. */
  readonly fault: string | null;
}

/** A step that was taken: the state after it, and what it found broken. */
export class Transition {
  readonly state: State;
  readonly findings: readonly Finding[];
  readonly #process: Process;
  readonly #way: Way;
  readonly #before: Memory;
  readonly #note: string;

  constructor(
    state: State,
    findings: readonly Finding[],
    taken: { process: Process; way: Way; before: Memory; note: string },
  ) {
    this.state = state;
    this.findings = findings;
    this.#process = taken.process;
    this.#way = taken.way;
    this.#before = taken.before;
    this.#note = taken.note;
  }

  /** The step as a diagram shows it. */
  move(): Move {
    const { by, to, does, fault } = this.#way;
    const from = by?.(this.#before) ?? this.#process.name;
    return { from, to, label: does, note: this.#note, fault };
  }
}

/** One way in which a step can go: normally, or by a fault. */
type Way = Omit<Step, 'or' | 'fault'> & { fault: string | null };

const NONE: readonly Finding[] = [];

export class Machine {
  readonly processes: readonly Process[];
  /** The counted faults, in the order of `World.faults`. */
  readonly faults: readonly string[];
  readonly starts: readonly State[];
  readonly #atMost: number;
  /** For each process, the ways of each of its steps, by name. */
  readonly #ways: readonly ReadonlyMap<string, readonly Way[]>[];

  constructor(strategy: Strategy, bounds: Bounds) {
    this.processes = strategy.processes(bounds);
    this.faults = strategy.faults;
    this.#atMost = bounds.faults;
    this.#ways = this.processes.map(({ steps }) => {
      const named = Object.entries(steps).map(([at, step]) => [at, waysOf(step)] as const);
      return new Map(named);
    });
    const caches = strategy.cache === 'either' ? ['cached', 'empty'] : [strategy.cache];
    this.starts = caches.map((cache) => ({
      world: { ...firstWorld({ cached: cache === 'cached' }), faults: this.faults.map(() => 0) },
      memories: this.processes.map(({ start }) => freshMemory(start)),
    }));
  }

  /** Every possible next step. Empty: nothing more can happen. */
  next(state: State): Transition[] {
    const transitions: Transition[] = [];
    for (const [index, process] of this.processes.entries()) {
      const me = state.memories[index];
      if (me === undefined || me === DONE || me === CRASHED) continue;
      for (const way of this.#waysAt(index, me)) {
        if (way.when !== undefined && !way.when(state.world, me)) break;
        const faults = this.#count(state.world, way.fault);
        if (faults !== null) transitions.push(take(state, process, index, way, faults));
      }
    }
    return transitions;
  }

  /**
   * The processes that must have crashed if nothing is in flight, which means that every call that began has ended and
   * the background processes have nothing to do. Null if something is in flight.
   */
  atRest({ world, memories }: State): Process[] | null {
    const crashed: Process[] = [];
    for (const [index, process] of this.processes.entries()) {
      const me = memories[index];
      if (me === undefined || me === DONE || me === CRASHED) continue;
      if (me.at === process.start) {
        const [way] = this.#waysAt(index, me);
        if (process.runs === 'always' && way?.when?.(world, me) !== false) return null;
      } else {
        if (!process.mayCrash || crashed.length === this.#atMost) return null;
        crashed.push(process);
      }
    }
    return crashed;
  }

  /** What is wrong with a state, independently of the steps that led to it. */
  inspect({ world: { database, cache, seen } }: State, isAtRest: boolean): readonly Finding[] {
    const findings: Finding[] = [];
    const lost = [...database.overwritten].filter((writer) => seen.acknowledged.includes(writer));
    if (lost.length > 0) {
      const words = `${lost.join(', ')} was acknowledged, and overwritten by a write that had not seen it.`;
      findings.push({ property: 'lostWrite', words });
    }
    if (!isAtRest) return findings;
    const stored = storedValue(database);
    if (cache.state === 'value' && cache.value !== stored) {
      const words = `Nothing more will happen: the cache holds ${cache.value}, the database ${stored}.`;
      findings.push({ property: 'staleForGood', words });
    }
    const never = [...seen.uncommitted].filter((writer) => !database.commits.includes(writer));
    if (never.length > 0) {
      const words = `A reader was shown ${never.join(', ')}, which the database never had.`;
      findings.push({ property: 'neverWas', words });
    }
    return findings;
  }

  #waysAt(index: number, { at }: Memory): readonly Way[] {
    const ways = this.#ways[index]?.get(at);
    if (ways === undefined)
      throw new Error(`${String(this.processes[index]?.name)}: no step ${at}`);
    return ways;
  }

  /** The counts of faults with one more of this; null if it has already happened as often as it may. */
  #count({ faults }: Readonly<World>, fault: string | null): readonly number[] | null {
    const index = fault === null ? -1 : this.faults.indexOf(fault);
    if (index === -1) return faults;
    const count = faults[index] ?? 0;
    return count >= this.#atMost ? null : faults.with(index, count + 1);
  }
}

function waysOf({ or, ...step }: Step): Way[] {
  const way: Way = { ...step, fault: step.fault ?? null };
  return or === undefined ? [way] : [way, { ...way, ...or }];
}

function take(
  { world, memories }: State,
  process: Process,
  index: number,
  way: Way,
  faults: World['faults'],
): Transition {
  const before = memories[index];
  if (before === undefined) throw new Error(`no process ${index}`);
  const draft = draftOf(world, faults);
  const me = { ...before };
  const next = way.run(draft, me);
  const after = memories.slice();
  after[index] = remembered(process, me, next);
  if (world.cache.state === 'lease' && draft.cache !== world.cache) forgetLease(after);
  const taken = { process, way, before, note: next.note };
  return new Transition({ world: draft, memories: after }, draft.findings, taken);
}

/** A copy that may be changed. Written out for speed, because the explorer spends most of its time here. */
const draftOf = (world: Readonly<World>, faults: World['faults']): Draft => ({
  database: world.database,
  cache: world.cache,
  replica: world.replica,
  logPosition: world.logPosition,
  queue: world.queue,
  outbox: world.outbox,
  lock: world.lock,
  homes: world.homes,
  tokens: world.tokens,
  clock: world.clock,
  seen: world.seen,
  faults,
  findings: NONE,
});

/** A process that has ended remembers nothing, so that states do not differ in what no longer matters. */
function remembered({ start }: Process, me: Memory, { at }: Next): Memory {
  if (at === 'done') return DONE;
  if (at === 'crashed') return CRASHED;
  if (at === start) return freshMemory(start);
  me.at = at;
  return me;
}

/** Forgets the reader's lease when it was replaced, filled or lost. */
function forgetLease(memories: Memory[]): void {
  memories.forEach((memory, index) => {
    if (memory.hasLease) memories[index] = { ...memory, hasLease: false };
  });
}
