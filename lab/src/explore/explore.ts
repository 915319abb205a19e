/**
 * Goes through every state that a strategy can reach within bounds, breadth first. For each property that is found
 * broken, it keeps the shortest trace for each set of faults that leads to it.
 */
import { CRASH, type Finding, type Process, type Property } from '../model/process.ts';
import type { Bounds, Strategy } from '../model/strategy.ts';
import { Machine, type Move, type State, type Transition } from './machine.ts';
import { castOf, type Scene, sceneOf } from './scene.ts';
import { StateCodec } from './state-codec.ts';
import { StateSet } from './state-set.ts';

/** A shortest sequence of steps after which a property is broken. */
export interface Trace {
  property: Property;
  /** The faults among its steps. A fault that happens twice is listed twice. */
  faults: string[];
  steps: Move[];
  /** What the servers hold before the first step, and after each step. */
  scenes: Scene[];
  /** What is wrong at the end, in a sentence. */
  ending: string;
}

export interface Exploration {
  bounds: Bounds;
  /** How many different states were reached. */
  states: number;
  /** False if `bounds.maxStates` was reached before every state was seen, so that a `no` is no proof. */
  isComplete: boolean;
  /**
   * The shortest trace for each property and set of counted faults. Shorter ones first, then those with fewer faults.
   */
  traces: Trace[];
}

/** How far an exploration has come. */
export interface Progress {
  /** The number of states from which every next step was taken. */
  explored: number;
  /** The number of states that were reached. At the end all of them are explored. */
  states: number;
}

/** Progress is reported after so many states, which is a few times a second. */
const TELL_EVERY = 1 << 14;

/** The end of a trace: a state, or a step from it to another state. */
interface Witness {
  finding: Finding;
  faults: string[];
  state: number;
  /** The state after the last step, if that step itself is wrong; else null. */
  target: number | null;
  /** The processes that must have crashed there. */
  crashed: readonly Process[];
}

/**
 * @param tell is called from time to time with the progress
 * @throws Error if the strategy can get stuck without being at rest, which is a fault of its model
 */
export function explore(
  strategy: Strategy,
  bounds: Bounds,
  tell: (progress: Progress) => void = () => undefined,
): Exploration {
  const search = new Search(new Machine(strategy, bounds), bounds.maxStates);
  const isComplete = search.run(tell);
  return { bounds, states: search.states, isComplete, traces: search.traces() };
}

class Search {
  readonly #machine: Machine;
  readonly #codec: StateCodec;
  readonly #seen: StateSet;
  readonly #maxStates: number;
  readonly #witnesses = new Map<string, Witness>();

  constructor(machine: Machine, maxStates: number) {
    this.#machine = machine;
    this.#maxStates = maxStates;
    this.#codec = new StateCodec(machine);
    this.#seen = new StateSet(this.#codec.width);
  }

  get states(): number {
    return this.#seen.size;
  }

  /** Returns whether every state was seen. */
  run(tell: (progress: Progress) => void): boolean {
    const row = new Int32Array(this.#codec.width);
    const nextRow = new Int32Array(this.#codec.width);
    for (const start of this.#machine.starts) {
      this.#codec.encode(start, row);
      this.#seen.add(row, -1);
    }
    for (let number = 0; number < this.#seen.size; number += 1) {
      if (this.#seen.size > this.#maxStates) return false;
      if (number % TELL_EVERY === 0) tell({ explored: number, states: this.#seen.size });
      this.#seen.read(number, row);
      const state = this.#codec.decode(row);
      const transitions = this.#machine.next(state);
      this.#inspect(number, state, transitions);
      for (const transition of transitions) {
        this.#codec.encode(transition.state, nextRow, { state, row });
        const target = this.#seen.add(nextRow, number);
        for (const finding of transition.findings) {
          const faults = this.#faultsOf(transition.state);
          this.#keep({ finding, faults, state: number, target, crashed: [] });
        }
      }
    }
    return true;
  }

  traces(): Trace[] {
    return [...this.#witnesses.values()]
      .map((witness) => this.#trace(witness))
      .sort((a, b) => a.steps.length - b.steps.length || a.faults.length - b.faults.length);
  }

  #inspect(number: number, state: State, transitions: readonly Transition[]): void {
    const crashed = this.#machine.atRest(state);
    if (transitions.length === 0 && crashed === null) {
      throw new Error(`the strategy is stuck: ${JSON.stringify(state)}`);
    }
    for (const finding of this.#machine.inspect(state, crashed !== null)) {
      // A lost write does not need a crash.
      const blamed = finding.property === 'lostWrite' ? [] : (crashed ?? []);
      const faults = [...this.#faultsOf(state), ...blamed.map(() => CRASH)];
      this.#keep({ finding, faults, state: number, target: null, crashed: blamed });
    }
  }

  /** Keeps the first trace that is found, which is a shortest one: states come in the order of their distance. */
  #keep(witness: Witness): void {
    const kind = [witness.finding.property, ...witness.faults].join('\n');
    if (!this.#witnesses.has(kind)) this.#witnesses.set(kind, witness);
  }

  #faultsOf({ world }: State): string[] {
    return this.#machine.faults.flatMap((fault, index) =>
      Array.from({ length: world.faults[index] ?? 0 }, () => fault),
    );
  }

  #trace({ finding, state, target, crashed }: Witness): Trace {
    const path = this.#seen.pathTo(state);
    const { moves, states } = this.#replay(target === null ? path : [...path, target], finding);
    const steps = [...moves, ...crashed.map(crashOf)];
    const faults = steps.map(({ fault }) => fault).filter((fault) => fault !== null);
    const cast = castOf(this.#machine.processes);
    // A crash changes nothing on the servers.
    const stops = [...states, ...crashed.map(() => states.at(-1))];
    const scenes = stops.flatMap((at) => (at === undefined ? [] : [sceneOf(at.world, cast)]));
    return { property: finding.property, faults, steps, scenes, ending: finding.words };
  }

  /**
   * Repeats the path on the machine itself. The encoded states do not say which of several equal readers took a step;
   * repeating the steps does, so that each reader keeps its name.
   */
  #replay(path: readonly number[], finding: Finding): { moves: Move[]; states: State[] } {
    const [first, ...rest] = path;
    let state = this.#machine.starts.find((start) => this.#isAt(start, first));
    const states = state === undefined ? [] : [state];
    const moves: Move[] = [];
    for (const [index, number] of rest.entries()) {
      const isLast = index === rest.length - 1;
      const fits = this.#transitionsOf(state).filter((next) => this.#isAt(next.state, number));
      const wanted = fits.find(({ findings }) =>
        findings.some(({ property }) => property === finding.property),
      );
      const taken = (isLast ? wanted : undefined) ?? fits[0];
      state = taken?.state;
      if (taken === undefined) continue;
      states.push(taken.state);
      moves.push(taken.move());
    }
    return { moves, states };
  }

  #transitionsOf(state: State | undefined): Transition[] {
    if (state === undefined) throw new Error('a trace does not replay on its machine');
    return this.#machine.next(state);
  }

  #isAt(state: State, number: number | undefined): boolean {
    const [row, wanted] = [new Int32Array(this.#codec.width), new Int32Array(this.#codec.width)];
    this.#codec.encode(state, row);
    this.#seen.read(number ?? -1, wanted);
    return row.every((part, at) => part === wanted[at]);
  }
}

const crashOf = ({ name }: Process): Move => ({
  from: name,
  to: name,
  label: 'crashes',
  note: '',
  fault: CRASH,
});
