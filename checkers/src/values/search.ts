/**
 * The search for an order: Wing and Gong's (1993), with Lowe's memory of configurations (2017).
 *
 * A configuration is what has been placed in the order so far and the state that it led to. From one, any operation
 * may come next that was invoked before the earliest return of those not placed. A configuration that was met before
 * leads nowhere new. The history has an order if some configuration has placed all certain operations.
 *
 * What keeps it near-linear on histories that have an order, and each reason why nothing is lost:
 *   - What only sees (a read) is placed at once where its state is there: it changes nothing for the others.
 *   - Possible operations with the same step are interchangeable: the oldest unused one stands for all. So are those
 *     that only have to leave some row, whichever, for a removal.
 *   - A possible operation is not followed at once by what makes its work unseen (a `set`, a removal of what was there
 *     before it): the same order without it is equivalent. It is used only if some operation can still reveal it.
 *   - A `set` whose state nobody needs any more is placed just before another `set`, where it changes nothing.
 *   - A state that is still needed and can't come back is not left (`demand.ts`).
 */
import { Demand } from './demand.ts';
import type { Placed } from './ranks.ts';
import type { Register, Step } from './register.ts';
import { IMPOSSIBLE } from './states.ts';

export interface SearchResult {
  verdict: 'holds' | 'violated' | 'unknown';
  /** Configurations met, those met before among them. */
  visited: number;
  /** The configuration that got furthest, where there is no order. */
  furthest: Configuration;
}

export interface Configuration extends Placed {
  state: number;
  usedId: number;
  /**
   * Nothing has seen the state yet, and a possible operation made it: `filled` where there was no row just before,
   * `changed` where there was. `seen` in all other cases.
   */
  made: 'seen' | 'filled' | 'changed';
  /** Rank of what made the state; -1: it was there before the run; -2: a possible operation. */
  madeBy: number;
}

export const INITIALLY = -1;
export const POSSIBLY = -2;

interface Task {
  from: Configuration;
  /** Possible operations are tried only after all that is certain has failed. */
  phase: 'arrive' | 'possible';
}

export class Search {
  readonly #register: Register;
  readonly #demand: Demand;
  readonly #pending: (readonly number[])[];
  readonly #seen = new Set<string>();
  readonly #usedIds = new Map<string, number>([['[]', 0]]);
  readonly #maxStates: number;
  readonly #tasks: Task[] = [];
  #furthest: Configuration;
  #visited = 0;

  constructor(register: Register, maxStates: number) {
    this.#register = register;
    this.#demand = new Demand(register);
    this.#pending = pendingAtReturns(register);
    this.#maxStates = maxStates;
    this.#furthest = {
      next: 0,
      placed: [],
      used: new Map(),
      usedId: 0,
      state: register.initial,
      made: 'seen',
      madeBy: INITIALLY,
    };
  }

  run(): SearchResult {
    this.#tasks.push({ from: this.#furthest, phase: 'arrive' });
    for (let task = this.#tasks.pop(); task !== undefined; task = this.#tasks.pop()) {
      if (task.phase === 'possible') {
        this.#tryPossible(task.from);
        continue;
      }
      const settled = this.#settle(task.from);
      if (settled.next === this.#register.certain.length) return this.#result('holds');
      if (settled.next > this.#furthest.next) this.#furthest = settled;
      this.#visited += 1;
      if (!this.#isNew(settled)) continue;
      if (this.#visited > this.#maxStates) return this.#result('unknown');
      this.#tasks.push({ from: settled, phase: 'possible' });
      this.#tryCertain(settled);
    }
    return this.#result('violated');
  }

  #result(verdict: SearchResult['verdict']): SearchResult {
    return { verdict, visited: this.#visited, furthest: this.#furthest };
  }

  /** Places what only sees, and moves past every return that is placed. */
  #settle(from: Configuration): Configuration {
    const { certain } = this.#register;
    let { next, made } = from;
    let placed = [...from.placed];
    while (next < certain.length) {
      for (const rank of this.#pending[next] ?? []) {
        const step = certain[rank]?.step;
        if (step === undefined || placed.includes(rank) || !sees(step, from.state)) continue;
        placed.push(rank);
        made = 'seen';
      }
      if (!placed.includes(next)) break;
      const passed = next;
      placed = placed.filter((rank) => rank !== passed);
      next += 1;
    }
    placed.sort((a, b) => a - b);
    return { ...from, next, placed, made };
  }

  #isNew({ next, placed, state, usedId, made }: Configuration): boolean {
    const before = this.#seen.size;
    this.#seen.add(JSON.stringify([next, state, usedId, made, placed]));
    return this.#seen.size > before;
  }

  #tryCertain(from: Configuration): void {
    const { certain } = this.#register;
    const pending = this.#pending[from.next] ?? [];
    // The last one pushed is the first one tried: what returned first most likely happened first.
    for (let at = pending.length - 1; at >= 0; at--) {
      const rank = pending[at];
      const step = rank === undefined ? undefined : certain[rank]?.step;
      if (rank === undefined || step === undefined || from.placed.includes(rank)) continue;
      const state = this.#after(step, from);
      if (state === IMPOSSIBLE || !this.#mayMove(from, state, rank)) continue;
      const to = {
        ...from,
        placed: [...from.placed, rank],
        state,
        made: 'seen' as const,
        madeBy: rank,
      };
      this.#go(to, step);
    }
  }

  #tryPossible(from: Configuration): void {
    const { certain, possible, states } = this.#register;
    const nextReturn = certain[from.next]?.returned ?? Infinity;
    const made = from.state === states.absent && from.made === 'seen' ? 'filled' : 'changed';
    let hasFilled = false;
    possible.forEach(({ step, invoked }, index) => {
      const times = from.used.get(index) ?? 0;
      if ((invoked[times] ?? Infinity) >= nextReturn) return;
      if (step.kind === 'remove' && from.made !== 'seen') return;
      const state = this.#after(step, from);
      if (state === IMPOSSIBLE || state === from.state) return;
      if (!this.#demand.isNeeded(state, from)) {
        if (hasFilled || made !== 'filled' || !this.#demand.removalLeft(from)) return;
        hasFilled = true;
      }
      if (!this.#mayMove(from, state, POSSIBLY)) return;
      const used = new Map(from.used).set(index, times + 1);
      this.#go({ ...from, state, made, madeBy: POSSIBLY, used, usedId: this.#idOf(used) }, step);
    });
  }

  #mayMove(from: Configuration, state: number, by: number): boolean {
    return state === from.state || this.#demand.mayLeave(from.state, from, by);
  }

  /** The state after a step; `IMPOSSIBLE` where it can't come next, or never has to. */
  #after(step: Step, { state, made }: Configuration): number {
    const { states } = this.#register;
    switch (step.kind) {
      case 'set':
        return made === 'seen' ? step.state : IMPOSSIBLE;
      case 'swap':
        return step.before === state ? step.state : IMPOSSIBLE;
      case 'add':
        if (step.before !== null && step.before !== state) return IMPOSSIBLE;
        return states.sum(state, step.by, step.field);
      case 'remove':
        return state === states.absent || made === 'changed' ? IMPOSSIBLE : states.absent;
      default:
        return IMPOSSIBLE; // what only sees was placed when its state was there
    }
  }

  /** Goes on to a configuration; after a `set`, first with all those placed before it that nobody needs. */
  #go(to: Configuration, step: Step): void {
    const unneeded = step.kind === 'set' ? this.#unneededSets(to) : [];
    if (unneeded.length === 0 || this.#demand.removalLeft(to)) {
      this.#tasks.push({ from: to, phase: 'arrive' });
    }
    if (unneeded.length > 0) {
      const placed = [...to.placed, ...unneeded];
      this.#tasks.push({ from: { ...to, placed }, phase: 'arrive' });
    }
  }

  #unneededSets(to: Configuration): number[] {
    const { certain } = this.#register;
    return (this.#pending[to.next] ?? []).filter((rank) => {
      const step = certain[rank]?.step;
      if (step?.kind !== 'set' || to.placed.includes(rank)) return false;
      return !this.#demand.isNeeded(step.state, to);
    });
  }

  #idOf(used: ReadonlyMap<number, number>): number {
    const text = JSON.stringify([...used].sort(([a], [b]) => a - b));
    const known = this.#usedIds.get(text);
    if (known !== undefined) return known;
    this.#usedIds.set(text, this.#usedIds.size);
    return this.#usedIds.size - 1;
  }
}

function sees(step: Step, state: number): boolean {
  if (step.kind === 'saw') return step.state === state;
  return step.kind === 'saw-other' && step.state !== state;
}

/** For each rank, the ranks not below it that were invoked before it returned, ascending. */
function pendingAtReturns({ certain }: Register): (readonly number[])[] {
  const byInvocation = certain
    .map((_, rank) => rank)
    .sort((a, b) => (certain[a]?.invoked ?? 0) - (certain[b]?.invoked ?? 0));
  let open: number[] = [];
  let started = 0;
  return certain.map(({ returned }, rank) => {
    let rankStarted = byInvocation[started];
    const before = open.length;
    while (rankStarted !== undefined && (certain[rankStarted]?.invoked ?? 0) < returned) {
      open.push(rankStarted);
      rankStarted = byInvocation[++started];
    }
    if (open.length > before) open.sort((a, b) => a - b);
    const pending = open;
    open = open.filter((each) => each !== rank);
    return pending;
  });
}
