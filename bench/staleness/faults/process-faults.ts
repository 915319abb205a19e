import { setTimeout as sleep } from 'node:timers/promises';
import type { SeededRandom } from '@lockstep/testkit/seeded-random';
import type { ServiceProcess } from '../contender.ts';
import { type FaultCounts, nextProcessFault, type ProcessFault } from './plan.ts';

/** Pauses and kills a contender's processes, one at a time, until it is stopped. */
export class ProcessFaults {
  readonly #processes: readonly ServiceProcess[];
  readonly #random: SeededRandom;
  readonly #ending = new AbortController();
  #running: Promise<FaultCounts> | null = null;

  constructor(processes: readonly ServiceProcess[], random: SeededRandom) {
    this.#processes = processes;
    this.#random = random;
  }

  begin(): void {
    this.#running = this.#run();
    // `heal` reports a failure. Until then it must not be an unhandled rejection.
    this.#running.catch(() => undefined);
  }

  /** Ends the faults and makes sure that every process is up. @returns how many of each kind there were */
  async heal(): Promise<FaultCounts> {
    this.#ending.abort();
    return (await this.#running) ?? {};
  }

  async #run(): Promise<FaultCounts> {
    const counts: FaultCounts = {};
    while (!this.#ending.signal.aborted) {
      const fault = nextProcessFault(this.#random);
      await this.#pass(fault.afterMs);
      const process = this.#processes[Math.floor(fault.at * this.#processes.length)];
      if (process === undefined || this.#ending.signal.aborted) continue;
      counts[fault.kind] = (counts[fault.kind] ?? 0) + 1;
      await this.#put(process, fault);
    }
    return counts;
  }

  async #put(process: ServiceProcess, fault: ProcessFault): Promise<void> {
    if (fault.kind === 'killed') {
      await process.kill();
      await process.start();
      return;
    }
    process.pause();
    await this.#pass(fault.forMs);
    process.resume();
  }

  /** Waits, but no longer than until the faults end. */
  async #pass(ms: number): Promise<void> {
    await sleep(ms, undefined, { signal: this.#ending.signal }).catch(() => undefined);
  }
}
