import type { Scheduler } from './scheduler.ts';

/** What happened, for people. Lines are made only if the trace is on. */
export interface Trace {
  readonly isOn: boolean;
  /** One line: who did what. `text` is called only if the trace is on. A minor line is left out of a brief trace. */
  note(who: string, text: () => string, isMinor?: boolean): void;
}

export const SILENT: Trace = { isOn: false, note: () => {} };

/** Numbered lines with the world's time. */
export class LineTrace implements Trace {
  readonly isOn = true;
  readonly #scheduler: Pick<Scheduler, 'nowMs'>;
  readonly #take: (line: string) => void;
  readonly #isBrief: boolean;
  #lines = 0;

  constructor(scheduler: Pick<Scheduler, 'nowMs'>, take: (line: string) => void, isBrief: boolean) {
    this.#scheduler = scheduler;
    this.#take = take;
    this.#isBrief = isBrief;
  }

  note(who: string, text: () => string, isMinor = false): void {
    if (isMinor && this.#isBrief) return;
    const number = String((this.#lines += 1)).padStart(5);
    const atMs = this.#scheduler.nowMs.toFixed(2).padStart(9);
    this.#take(`${number} ${atMs} ms  ${who.padEnd(24)} ${text()}`);
  }
}
