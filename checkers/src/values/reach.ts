/**
 * Which states of a register increments can lead to. They change one number and leave the rest, the state's class, as
 * it is. Where all of them go one way, a state leads to those of its class that are ahead of it by no more than all of
 * them together.
 */
import { firstFrom } from './ranks.ts';
import type { Register } from './register.ts';
import type { States } from './states.ts';

/** States that are looked at for one question; where there are more, the answer is that it is not known. */
const MAX_LOOKED_AT = 64;

export class Reach {
  /** The sum of all increments; `null` where they go both ways. */
  readonly #total: number | null;

  constructor(register: Register) {
    this.#total = totalOfIncrements(register);
  }

  /** Those of the states from which increments may lead to this one, itself among them; `null`: it is not known. */
  leadingTo(state: number, among: SortedStates): readonly number[] | null {
    return this.#total === null ? null : among.between(state, -this.#total, 0);
  }

  /** Those of the states to which increments may lead from this one, itself among them; `null`: it is not known. */
  ahead(state: number, among: SortedStates): readonly number[] | null {
    return this.#total === null ? null : among.between(state, 0, this.#total);
  }
}

interface OneClass {
  states: number[];
  /** Ascending, of the states. */
  numbers: number[];
  hasOnlyNumbers: boolean;
}

/** States by class, and in each by their number. */
export class SortedStates {
  readonly #states: States;
  readonly #classes = new Map<number, OneClass>();

  constructor(chosen: Iterable<number>, states: States) {
    this.#states = states;
    const number = (state: number): number => states.numberOf(state) ?? 0;
    for (const state of [...new Set(chosen)].sort((a, b) => number(a) - number(b))) {
      const same = this.#classOf(state) ?? { states: [], numbers: [], hasOnlyNumbers: true };
      same.states.push(state);
      same.numbers.push(number(state));
      same.hasOnlyNumbers &&= states.numberOf(state) !== null;
      this.#classes.set(states.classOf(state), same);
    }
  }

  /**
   * Those of a state's class whose number is further by `from` to `to`, in whichever order, or all of them where not all
   * have one; `null`: too many.
   */
  between(state: number, from: number, to: number): readonly number[] | null {
    const same = this.#classOf(state);
    if (same === undefined) return [];
    const number = this.#states.numberOf(state);
    const found =
      number === null || !same.hasOnlyNumbers
        ? same.states
        : same.states.slice(
            firstFrom(same.numbers, number + Math.min(from, to)),
            firstFrom(same.numbers, number + Math.max(from, to) + 1),
          );
    return found.length > MAX_LOOKED_AT ? null : found;
  }

  #classOf(state: number): OneClass | undefined {
    return this.#classes.get(this.#states.classOf(state));
  }
}

function totalOfIncrements({ certain, possible }: Register): number | null {
  const each = [
    ...certain.map(({ step }) => (step.kind === 'add' ? step.by : 0)),
    ...possible.map(({ step, invoked }) => (step.kind === 'add' ? step.by * invoked.length : 0)),
  ];
  const isOneWay = each.every((by) => by >= 0) || each.every((by) => by <= 0);
  return isOneWay ? each.reduce((sum, by) => sum + by, 0) : null;
}
