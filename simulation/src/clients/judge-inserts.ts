/** Checks inserts: their keys are known only from their answers. */
import type { Change } from '../../../server/src/domain/index.ts';
import type { Referee } from '../rules/referee.ts';
import type { Told } from './client-history.ts';

export interface InsertTold {
  /** The cache key of the new row, which is also its name. */
  name: string;
  version: number;
}

/** An insert, with all its repeats. */
export interface BegunInsert {
  by: number;
  change: Change;
  told: Told<InsertTold>[];
}

export class InsertJudge {
  readonly #referee: Referee;
  readonly #inserts: BegunInsert[] = [];
  #begun = 0;
  #open = 0;

  constructor(referee: Referee) {
    this.#referee = referee;
  }

  get begun(): number {
    return this.#begun;
  }

  get open(): number {
    return this.#open;
  }

  /** @param idempotencyKey of the insert and all its repeats */
  begin(by: number, idempotencyKey: string, change: Change): BegunInsert {
    this.#referee.sends(idempotencyKey, change);
    const begun: BegunInsert = { by, change, told: [] };
    this.#inserts.push(begun);
    return begun;
  }

  /** The insert is sent, or repeated. @returns a function to be called with the answer */
  sent(insert: BegunInsert): (told: Told<InsertTold>) => void {
    this.#begun += 1;
    this.#open += 1;
    return (told) => {
      this.#open -= 1;
      insert.told.push(told);
      if (told.status !== 'ok') return;
      const { name, version } = told.answer;
      const applied = this.#referee.keyOf(insert.change);
      if (applied !== name)
        this.#report(insert, name, `was answered this key, and applied under ${applied ?? 'none'}`);
      this.#referee.told(name, version);
    };
  }

  /** Checks the answered outcomes. Must be called when nothing is in flight. */
  judgeOutcomes(): void {
    for (const insert of this.#inserts) {
      const { change, told } = insert;
      const times = this.#referee.versionsOf(change).length;
      const name = this.#referee.keyOf(change) ?? '';
      if (times > 1) this.#report(insert, name, `was applied ${times} times`);
      if (times > 0 && told.every(({ status }) => status === 'failed'))
        this.#report(insert, name, 'was answered as not applied, and was');
    }
  }

  #report({ by }: BegunInsert, name: string, what: string): void {
    this.#referee.report('W15', name, `client ${by}: an insert ${what}`);
  }
}
