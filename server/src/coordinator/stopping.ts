/**
 * How a coordinator stops so that no request is lost.
 *
 * States: serving -> leaving -> refusing.
 *   serving   the normal state
 *   leaving   `/readyz` is 503 and each answer asks for its connection to be closed; everything else works as before.
 *             At the end the port is closed, and open connections are served for a moment longer
 *   refusing  writes answer SHUTTING_DOWN; those in flight end
 *
 * Load balancers notice in two ways. Some ask `/readyz`: for these the port stays open for a while. Others, such as
 * nginx, notice refused connections, and then avoid the address for some seconds. Such a balancer may still be avoiding
 * a coordinator that has just started, so the port stays open until no other coordinator is that young.
 */
import type { Server } from 'node:http';
import type { Config } from '../config/index.ts';
import type { Member } from '../routing/index.ts';
import type { Runtime } from '../runtime/index.ts';
import { closePort } from './close-port.ts';

/**
 * The shortest time for which the port stays open. Shorter without other coordinators, since there is nowhere else to
 * go.
 */
const LEAST_DRAIN_MS = { alone: 500, shared: 2_000 };
/** nginx avoids an address for 10 s, by a clock of whole seconds. */
const YOUNG_MS = 11_000;
const LOOK_EVERY_MS = 100;
/** How long to wait for requests on connections that were made just before the port was closed. */
const LAST_REQUESTS_MS = 250;

export interface StoppingOptions {
  /** How long the port stays open; null: `leastMs`, and while another coordinator is young. */
  drainDelayMs: number | null;
  leastMs: number;
  members: () => readonly Member[];
  /** Closes the port without losing a connection. */
  closePort: (server: Server) => Promise<void>;
  runtime: Pick<Runtime, 'clock' | 'timers' | 'log'>;
}

export class Stopping {
  readonly #options: StoppingOptions;
  /** Set while the port is being closed: new requests wait for it. */
  held: Promise<void> | null = null;
  #state: 'serving' | 'leaving' | 'refusing' = 'serving';

  constructor(options: StoppingOptions) {
    this.#options = options;
  }

  static of(
    { listen, database }: Pick<Config, 'listen' | 'database'>,
    members: StoppingOptions['members'],
    runtime: StoppingOptions['runtime'],
    closeSharedPort: (() => Promise<void>) | null,
  ): Stopping {
    const leastMs = LEAST_DRAIN_MS[database.mode === 'external' ? 'shared' : 'alone'];
    return new Stopping({
      ...{ drainDelayMs: listen.drainDelayMs, leastMs, members, runtime },
      closePort: closeSharedPort ?? ((server) => closePort(server, runtime.clock)),
    });
  }

  readonly isLeaving = (): boolean => this.#state !== 'serving';
  readonly isRefusing = (): boolean => this.#state === 'refusing';

  /** Resolves when new writes are refused. @param tellViewers called once the port is closed */
  async run(server: Server, tellViewers: () => Promise<void>): Promise<void> {
    this.#state = 'leaving';
    await this.#whileBalancersLook();
    this.held = this.#options.closePort(server);
    await this.held;
    this.held = null;
    await tellViewers();
    await this.#options.runtime.timers.sleep(LAST_REQUESTS_MS);
    this.#state = 'refusing';
  }

  async #whileBalancersLook(): Promise<void> {
    const { drainDelayMs, leastMs, runtime } = this.#options;
    const { clock, timers } = runtime;
    const startedAtMs = clock.nowMs();
    const passedMs = (): number => clock.nowMs() - startedAtMs;
    await timers.sleep(drainDelayMs ?? leastMs);
    if (drainDelayMs !== null) return;
    while (passedMs() < YOUNG_MS && this.#isAnotherYoung()) await timers.sleep(LOOK_EVERY_MS);
  }

  #isAnotherYoung(): boolean {
    return this.#options
      .members()
      .some(({ isSelf, isLeaving, upMs }) => !isSelf && !isLeaving && upMs < YOUNG_MS);
  }
}
