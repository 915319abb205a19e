/**
 * Goes through every state that a strategy can reach within bounds, breadth first, and keeps for each property that is
 * found broken the shortest way there: one for each set of faults that led to it.
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
  /** The faults among its steps, each as often as it happens. */
  faults: string[];
  steps: Move[];
  /** What the servers hold before the first step, and after each. */
  scenes: Scene[];
  /** What is then seen, in a sentence. */
  ending: string;
}

export interface Exploration {
  bounds: Bounds;
  /** How many different states were reached. */
  states: number;
  /** False: `bounds.maxStates` was reached before every state was seen, and a `no` is no proof. */
  isComplete: boolean;
  /** For each property and set of counted faults the shortest; shorter ones first, then those with fewer faults. */
  traces: Trace[];
}

/** How far an exploration has come. */
export interface Progress {
  /** States whose every next step has been taken. */
  explored: number;
  /** States that were reached. All of them are explored when it ends. */
  states: number;
}

/** How often it reports its progress: a few times a second. */
const TELL_EVERY = 1 << 14;

/** Where a trace ends: in a state, or with the step from it to another one. */
interface Witness {
  finding: Finding;
  faults: string[];
  state: number;
  /** The state after the last step, where the step itself is what is wrong. */
  target: number | null;
  /** Who is taken to have crashed there. */
  crashed: readonly Process[];
}

/**
 * @param tell is called now and then with the progress
 * @throws Error where a strategy can come to a stop that is not rest: a fault of its model
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

  /** Answers whether every state was seen. */
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
      // What is lost is lost; it takes no crash.
      const blamed = finding.property === 'lostWrite' ? [] : (crashed ?? []);
      const faults = [...this.#faultsOf(state), ...blamed.map(() => CRASH)];
      this.#keep({ finding, faults, state: number, target: null, crashed: blamed });
    }
  }

  /** The first one found is a shortest: states come in the order of their distance from the start. */
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
    // Who crashed changes nothing on the servers.
    const stops = [...states, ...crashed.map(() => states.at(-1))];
    const scenes = stops.flatMap((at) => (at === undefined ? [] : [sceneOf(at.world, cast)]));
    return { property: finding.property, faults, steps, scenes, ending: finding.words };
  }

  /**
   * Walks the path on the machine itself, by its step. Rows don't say which of several readers that are alike took a step;
   * the walk does, so that each keeps its name.
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
