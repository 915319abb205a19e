/**
 * One process of a service that uses the client: what the client decides, on simulated ports. It reads entries from the
 * cache by itself, sends everything else to the coordinators in batches, and reads its own tables in its loaders.
 */
import { composeClient, type ClientParts } from '../../../client/src/compose.ts';
import type { LocalLevel } from '../../../client/src/local-level.ts';
import type { CachePort } from '../../../client/src/ports.ts';
import type { ClientRuntime } from '../../../client/src/runtime.ts';
import { Session } from '../../../client/src/session.ts';
import { NoAnswer, type Reply, type Request } from '../../../client/src/transport.ts';
import type { SeededRandom } from '@lockstep/testkit/seeded-random';
import { askCoordinator, type AskedWorld, hopsOf } from '../clients/ask.ts';
import { type Caller, Unanswered } from '../world/network.ts';
import { TIMING } from '../world/timing.ts';

/** `coordinators`: how many there are. */
type ServiceWorld = AskedWorld & { readonly coordinators: number };

export interface ServiceOptions {
  world: ServiceWorld;
  /** From 0. */
  index: number;
  random: SeededRandom;
  /** Opens its connection to the cache. */
  openCache: (service: Caller) => CachePort;
  /** Opens what keeps values in its memory; null: nothing is kept. */
  openLocal: (service: Caller, runtime: ClientRuntime) => LocalLevel | null;
}

export class ServiceProcess implements Caller {
  readonly name: string;
  /** Beyond those of the coordinators: what is the matter with all links is the matter with its links too. */
  readonly index: number;
  readonly isGone = false;
  readonly client: ClientParts;
  /** All its callers share what it has seen. */
  readonly session = new Session(1_000);
  /** The newest version in any answer, by key: what a read of the session must not be older than. */
  readonly seen = new Map<string, number>();
  readonly #world: ServiceWorld;
  /** How often a write with each idempotency key was sent. */
  readonly #sendings = new Map<string, number>();
  #requests = 0;

  constructor({ world, index, random, openCache, openLocal }: ServiceOptions) {
    this.#world = world;
    this.name = `service ${index + 1}`;
    this.index = world.coordinators + index;
    const runtime = this.#runtime(random);
    const local = openLocal(this, runtime);
    this.client = composeClient({
      transport: { request: (request) => this.#request(request) },
      openCache: () => openCache(this),
      openLocal: () => local,
      onCatalog: ({ resources }) => local?.catalogRefreshed(resources),
      options: { catalogRefreshMs: 2_000 },
      timeoutMs: TIMING.clientMs,
      runtime,
    });
    void this.client.catalog.refresh();
  }

  /** Whether the client sent the write with this idempotency key more than once. */
  hasRepeated(idempotencyKey: string): boolean {
    return (this.#sendings.get(idempotencyKey) ?? 0) > 1;
  }

  deliver(run: () => void): void {
    run();
  }

  timeout(delayMs: number, run: () => void): { cancel(): void } {
    return this.#world.scheduler.after(delayMs, run);
  }

  #runtime(random: SeededRandom): ClientRuntime {
    const { scheduler } = this.#world;
    let lastId = 0;
    return {
      nowMs: () => scheduler.nowMs,
      after: (delayMs, run) => scheduler.after(delayMs, run),
      inBackground: (delayMs, run) => scheduler.after(delayMs, run),
      soon: (run) => void scheduler.after(0, run),
      random: () => random.next(),
      newId: () => `${this.name.replace(' ', '-')}-${(lastId += 1)}`,
    };
  }

  /** Each request goes to the next coordinator, as behind a balancer. */
  async #request(request: Request): Promise<Reply> {
    this.#requests += 1;
    const { path, body = '' } = request;
    for (const [, key = ''] of body.matchAll(/"idempotencyKey":"([^"]+)"/g))
      this.#sendings.set(key, (this.#sendings.get(key) ?? 0) + 1);
    const world = this.#world;
    const call = {
      name: this.name,
      hopMs: hopsOf(world, `${this.name} request ${this.#requests}`),
      what: `${path} ${body}`,
    };
    try {
      const index = (this.index + this.#requests) % world.coordinators;
      return await askCoordinator(world, index, {
        ...call,
        run: (process) => process.api.answer(request),
      });
    } catch (error) {
      if (!(error instanceof Unanswered)) throw error;
      throw new NoAnswer(error.why !== 'refused', error);
    }
  }
}
