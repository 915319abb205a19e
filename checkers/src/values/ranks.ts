/** What a search has placed: every certain operation whose rank is below `next`, and those in `placed`. */
export interface Placed {
  next: number;
  placed: readonly number[];
  /** How many of each kind of possible operation were used; what is not there was not. */
  used: ReadonlyMap<number, number>;
}

/** Numbered things, each with the ranks of the operations that have to do with it. */
export class Ranks {
  readonly #ranks = new Map<number, number[]>();

  /** Ranks are added ascending. */
  add(of: number, rank: number): void {
    const ranks = this.#ranks.get(of);
    if (ranks === undefined) this.#ranks.set(of, [rank]);
    else ranks.push(rank);
  }

  keys(): Iterable<number> {
    return this.#ranks.keys();
  }

  all(of: number): readonly number[] {
    return this.#ranks.get(of) ?? [];
  }

  /** The first rank that is not placed; `except` counts as placed. */
  firstLeft(of: number, { next, placed }: Placed, except = -1): number | undefined {
    const ranks = this.#ranks.get(of);
    if (ranks === undefined) return undefined;
    for (let at = firstFrom(ranks, next); at < ranks.length; at++) {
      const rank = ranks[at];
      if (rank !== undefined && rank !== except && !placed.includes(rank)) return rank;
    }
    return undefined;
  }
}

/** The place of the first number that is not below `least`, in ascending ones. */
export function firstFrom(numbers: readonly number[], least: number): number {
  let low = 0;
  let high = numbers.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((numbers[middle] ?? 0) < least) low = middle + 1;
    else high = middle;
  }
  return low;
}
