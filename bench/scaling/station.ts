import type { SeededRandom } from '@lockstep/testkit/seeded-random';
import type { EventQueue } from './event-queue.ts';

/** How many jobs that were served are forgotten at once. */
const MANY = 10_000;

/** Something with one queue and some servers, each of which does one job at a time: a process, a thread, some cores. */
export class Station {
  readonly #events: EventQueue;
  readonly #random: SeededRandom;
  readonly #servers: number;
  readonly #waiting: { costUs: number; done: () => void }[] = [];
  /** Where in `#waiting` the next job is. */
  #next = 0;
  #running = 0;
  #busyUs = 0;

  constructor(events: EventQueue, random: SeededRandom, servers: number) {
    this.#events = events;
    this.#random = random;
    this.#servers = servers;
  }

  /** Does a job of a half to one and a half times `costUs`. */
  serve(costUs: number, done: () => void): void {
    if (this.#running === this.#servers) this.#waiting.push({ costUs, done });
    else this.#run(costUs, done);
  }

  /** Share of the servers' time that was work. */
  utilization(lastedUs: number): number {
    return this.#busyUs / (this.#servers * lastedUs);
  }

  #forgetServed(): void {
    if (this.#next < MANY) return;
    this.#waiting.splice(0, this.#next);
    this.#next = 0;
  }

  #run(costUs: number, done: () => void): void {
    const tookUs = costUs * this.#random.between(0.5, 1.5);
    this.#running += 1;
    this.#events.after(tookUs, () => {
      this.#running -= 1;
      this.#busyUs += tookUs;
      const waiting = this.#waiting[this.#next];
      if (waiting !== undefined) {
        this.#next += 1;
        this.#forgetServed();
        this.#run(waiting.costUs, waiting.done);
      }
      done();
    });
  }
}
