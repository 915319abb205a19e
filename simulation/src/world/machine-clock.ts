import type { Scheduler } from './scheduler.ts';

/** The clocks of one machine: a monotonic one with its own rate, and a wall clock that may be set. */
export class MachineClock {
  readonly #scheduler: Scheduler;
  #rate: number;
  #sinceMs = 0;
  #atSinceMs = 0;
  #wallOffsetMs: number;

  /**
   * @param rate 1: as fast as the world's time
   * @param epochMs the wall clock at the world's beginning
   */
  constructor(scheduler: Scheduler, rate: number, epochMs: number) {
    this.#scheduler = scheduler;
    this.#rate = rate;
    this.#wallOffsetMs = epochMs;
  }

  get rate(): number {
    return this.#rate;
  }

  /** Changes the rate from now on, without a jump. */
  setRate(rate: number): void {
    this.#atSinceMs = this.nowMs();
    this.#sinceMs = this.#scheduler.nowMs;
    this.#rate = rate;
  }

  jumpWall(byMs: number): void {
    this.#wallOffsetMs += byMs;
  }

  nowMs(): number {
    return this.#atSinceMs + (this.#scheduler.nowMs - this.#sinceMs) * this.#rate;
  }

  wallMs(): number {
    return this.#wallOffsetMs + this.nowMs();
  }
}
