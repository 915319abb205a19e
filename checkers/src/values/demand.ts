/**
 * What the rest of a history still needs of a state, so that the search leaves no state too early.
 *
 * While some operation that needs a state has not been placed, and none that makes it, or makes what increments can
 * lead to it from, is left, the state may not be left. With values that are written once, as clients that record
 * histories write them, this settles nearly every order without a guess.
 */
import { Ranks, type Placed } from './ranks.ts';
import { Reach, SortedStates } from './reach.ts';
import type { Register, Step } from './register.ts';

const ANYTHING = 0;

export class Demand {
  readonly #register: Register;
  readonly #reach: Reach;
  readonly #needs = new Ranks();
  /** Operations that need a state without telling which: a number, or any but one. */
  readonly #needSomething = new Ranks();
  readonly #removals = new Ranks();
  readonly #makers = new Ranks();
  /** Kinds of possible operations by the state that they make. */
  readonly #possibleMakers = new Map<number, number[]>();
  readonly #needed: SortedStates;
  readonly #possiblyNeeded: SortedStates;
  readonly #made: SortedStates;

  constructor(register: Register) {
    const { certain, possible, states, initial } = register;
    this.#register = register;
    this.#reach = new Reach(register);
    certain.forEach(({ step }, rank) => this.#count(step, rank));
    possible.forEach(({ step }, index) => this.#countPossible(step, index));
    const possiblyNeeded = possible.flatMap(({ step }) => stateNeeded(step) ?? []);
    this.#needed = new SortedStates(this.#needs.keys(), states);
    this.#possiblyNeeded = new SortedStates(possiblyNeeded, states);
    const made = [initial, ...this.#makers.keys(), ...this.#possibleMakers.keys()];
    this.#made = new SortedStates(made, states);
  }

  /**
   * Whether a state may be left for good, or may come back, once `by` is placed too.
   * @param by a rank, or below 0 where a possible operation leaves it
   */
  mayLeave(state: number, placed: Placed, by: number): boolean {
    if (this.#needs.firstLeft(state, placed, by) === undefined) return true;
    const makers = this.#reach.leadingTo(state, this.#made);
    // What leaves the state may make it, too: a compare-and-set may go back to a lower number.
    return makers === null || makers.some((made) => this.#isMakerLeft(made, placed));
  }

  /** The operation that keeps `mayLeave` from saying yes. */
  needer(state: number, placed: Placed): number | undefined {
    return this.#needs.firstLeft(state, placed);
  }

  /** Whether an operation that is not placed yet could reveal that the register had this state. */
  isNeeded(state: number, placed: Placed): boolean {
    if (this.#needSomething.firstLeft(ANYTHING, placed) !== undefined) return true;
    if (this.#reach.ahead(state, this.#possiblyNeeded)?.length !== 0) return true;
    const needed = this.#reach.ahead(state, this.#needed);
    return (
      needed === null || needed.some((each) => this.#needs.firstLeft(each, placed) !== undefined)
    );
  }

  /** Whether some removal, which needs a row of whatever value, is not placed. */
  removalLeft(placed: Placed): boolean {
    return this.#removals.firstLeft(ANYTHING, placed) !== undefined;
  }

  /** Whether the operation at this rank needs a state that nothing can have made before it returned. */
  isOutOfNowhere(rank: number): boolean {
    const { certain, possible, initial } = this.#register;
    const operation = certain[rank];
    const needed = operation === undefined ? null : stateNeeded(operation.step);
    const makers = needed === null ? null : this.#reach.leadingTo(needed, this.#made);
    if (operation === undefined || makers === null) return false;
    const isInTime = (invoked = Infinity): boolean => invoked < operation.returned;
    return !makers.some(
      (made) =>
        made === initial ||
        this.#makers
          .all(made)
          .some((maker) => maker !== rank && isInTime(certain[maker]?.invoked)) ||
        this.#possibly(made).some((index) => isInTime(possible[index]?.invoked[0])),
    );
  }

  #isMakerLeft(made: number, placed: Placed): boolean {
    if (this.#makers.firstLeft(made, placed) !== undefined) return true;
    return this.#possibly(made).some(
      (index) =>
        (placed.used.get(index) ?? 0) < (this.#register.possible[index]?.invoked.length ?? 0),
    );
  }

  #possibly(made: number): readonly number[] {
    return this.#possibleMakers.get(made) ?? [];
  }

  #count(step: Step, rank: number): void {
    const { states } = this.#register;
    const needed = stateNeeded(step);
    if (needed !== null) {
      this.#needs.add(needed, rank);
    } else if (step.kind === 'saw-other' || step.kind === 'add') {
      this.#needSomething.add(ANYTHING, rank);
    }
    if (step.kind === 'remove') this.#removals.add(ANYTHING, rank);
    const made = stateMade(step, states.absent);
    if (made !== null) this.#makers.add(made, rank);
  }

  #countPossible(step: Step, index: number): void {
    const made = stateMade(step, this.#register.states.absent);
    if (made !== null) this.#possibleMakers.set(made, [...this.#possibly(made), index]);
  }
}

/** The one state that a step can follow; `null` where it can follow several. */
function stateNeeded(step: Step): number | null {
  switch (step.kind) {
    case 'saw':
      return step.state;
    case 'swap':
    case 'add':
      return step.before;
    default:
      return null;
  }
}

/** The state that a step makes; `null` where it makes none, or one that increments lead to. */
function stateMade(step: Step, absent: number): number | null {
  switch (step.kind) {
    case 'set':
    case 'swap':
      return step.state;
    case 'remove':
      return absent;
    default:
      return null;
  }
}
