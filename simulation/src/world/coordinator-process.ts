/**
 * One process of a coordinator: the shipped engine on simulated ports.
 *
 * States
 *   running  handles incoming messages at once
 *   paused   does nothing; incoming messages wait
 *   gone     killed; does nothing any more, and its callers are notified
 */
import {
  composeCapabilities,
  type Capabilities,
} from '../../../server/src/coordinator/capabilities.ts';
import type { EnginePorts } from '../../../server/src/coordinator/engine-ports.ts';
import type { Resource, Telemetry } from '../../../server/src/domain/index.ts';
import type { Runtime } from '../../../server/src/runtime/ports.ts';
import type { EntryScanner } from '../../../server/src/cache/port.ts';
import type { MachineClock } from './machine-clock.ts';
import { CoordinatorApi } from '../services/coordinator-api.ts';
import type { Caller } from './network.ts';
import { processRuntime } from './process-runtime.ts';
import type { SeededRandom } from '@lockstep/testkit/seeded-random';
import type { Scheduler } from './scheduler.ts';
import { TIMING } from './timing.ts';
import type { Trace } from './trace.ts';

export interface ProcessParts {
  index: number;
  /** Counts the processes of this coordinator, from 1. */
  incarnation: number;
  scheduler: Scheduler;
  clock: MachineClock;
  random: SeededRandom;
  trace: Trace;
  resources: ReadonlyMap<string, Resource>;
  verifyIntent: boolean;
  telemetry: (process: CoordinatorProcess) => Telemetry;
  ports: (
    process: CoordinatorProcess,
    runtime: Runtime,
  ) => { ports: EnginePorts; scanner: Pick<EntryScanner, 'scan'> };
}

export class CoordinatorProcess implements Caller {
  readonly index: number;
  readonly name: string;
  readonly engine: Capabilities;
  /** As the client calls it. */
  readonly api: CoordinatorApi;
  readonly ports: EnginePorts;
  readonly runtime: Runtime;
  readonly #scheduler: Scheduler;
  readonly #clock: MachineClock;
  /** How to notify callers that wait for an answer when the process is killed. */
  readonly onDeath = new Set<() => void>();
  #state: 'running' | 'paused' | 'gone' = 'running';
  #inbox: (() => void)[] = [];

  constructor(parts: ProcessParts) {
    const { index, incarnation, resources, verifyIntent } = parts;
    this.index = index;
    this.name = `coordinator ${index + 1}${incarnation > 1 ? `.${incarnation}` : ''}`;
    this.#scheduler = parts.scheduler;
    this.#clock = parts.clock;
    this.runtime = processRuntime(this, parts.clock, parts.random, parts.trace);
    const { ports, scanner } = parts.ports(this, this.runtime);
    this.ports = ports;
    this.engine = composeCapabilities({
      ports,
      scanner,
      resources,
      instance: this.name,
      verifyIntent,
      locks: {
        ttlMs: TIMING.lockTtlMs,
        waitTimeoutMs: TIMING.lockWaitMs,
        maxHoldMs: TIMING.maxHoldMs,
      },
      telemetry: parts.telemetry(this),
      runtime: this.runtime,
    });
    this.api = new CoordinatorApi(this, resources);
    this.engine.relay.start();
    this.engine.sweeper.start();
  }

  get isGone(): boolean {
    return this.#state === 'gone';
  }

  deliver(run: () => void): void {
    if (this.#state === 'running') run();
    else if (this.#state === 'paused') this.#inbox.push(run);
  }

  timeout(delayMs: number, run: () => void): { cancel(): void } {
    let isCancelled = false;
    const event = this.#scheduler.after(Math.max(0, delayMs) / this.#clock.rate, () =>
      this.deliver(() => {
        if (!isCancelled) run();
      }),
    );
    return {
      cancel: () => {
        isCancelled = true;
        event.cancel();
      },
    };
  }

  pause(): void {
    if (this.#state === 'running') this.#state = 'paused';
  }

  resume(): void {
    if (this.#state !== 'paused') return;
    this.#state = 'running';
    const inbox = this.#inbox;
    this.#inbox = [];
    for (const run of inbox) this.#scheduler.after(0, () => this.deliver(run));
  }

  kill(): void {
    this.#state = 'gone';
    this.#inbox = [];
    for (const tell of [...this.onDeath]) tell();
    this.onDeath.clear();
  }
}
