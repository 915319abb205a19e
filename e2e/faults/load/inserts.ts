/** Inserts of rows whose keys the database makes, with what each was answered. */
import type { Ending } from './ending.ts';

export interface Insert {
  /** No other insert has it. It is its idempotency key, too. */
  mark: string;
  n: number;
  /** Null while it is open. */
  ending: Ending | null;
  /** The key that was answered. */
  id: number | null;
}

export class Inserts {
  readonly all: Insert[] = [];
  readonly #run: string;

  /** @param run distinguishes this run's marks from those of others on the same database */
  constructor(run: string) {
    this.#run = run;
  }

  /** Answered ones. */
  get answered(): number {
    return this.all.filter(({ ending }) => ending?.e === 'ok').length;
  }

  begin(n: number): Insert {
    const mark = `${this.#run}-insert-${this.all.length + 1}`;
    const insert: Insert = { mark, n, ending: null, id: null };
    this.all.push(insert);
    return insert;
  }

  end(insert: Insert, ending: Ending, id: number | null): void {
    insert.ending = ending;
    insert.id = id;
  }
}
