/**
 * Switching the policy of a resource on a running cluster.
 *
 * States of a resource, in the database, for all coordinators: complete -> switched (a new epoch) -> complete.
 *   switched   writes of an earlier epoch are refused by the database; nothing is served from the cache, or filled.
 *              One coordinator waits until the writes that it found in flight have ended, sweeps all entries of the old
 *              and the new definition, and completes the switch
 *   complete   the cache is served by the new policy
 *
 * Invariants
 *   - a coordinator serves a resource from the cache only if it knows that its switch is complete at the epoch of its own
 *     configuration. It looks every POLL_MS; one that was not reloaded finds out by this that it is behind
 *   - a coordinator that dies during this leaves the resource switched; any other with its configuration continues
 */
import type { SwitchStatus } from '@lockstep/shared';
import { type EntryScanner, type EntryStore, invalidateMatching } from '../cache/index.ts';
import {
  CacheKeyTemplate,
  isRefreshedByName,
  madeByAny,
  type Resource,
  toLockstepError,
} from '../domain/index.ts';
import { BackgroundLoop, type Leadership } from '../jobs/index.ts';
import type { Runtime } from '../runtime/index.ts';
import { changesBetween, definitionOf, switchFault } from './definition.ts';
import type { Standing, SwitchRole, SwitchStore } from './store.ts';

const POLL_MS = 1_000;
/** How often to look while something is being switched. */
const BUSY_POLL_MS = 100;
const JOB = 'switch';

export interface SwitchingOptions {
  store: Pick<SwitchStore, 'standings' | 'adopt' | 'writesEnded' | 'complete'>;
  leadership: Leadership;
  scanner: Pick<EntryScanner, 'scan'>;
  entries: Pick<EntryStore, 'invalidateMany' | 'available'>;
  /** The present resources of the configuration. */
  resources: ReadonlyMap<string, Resource>;
  /** Called when the entries of a refreshed table were removed. */
  forgetGeneration: (resource: string) => Promise<void>;
  /** Called when the entries of these resources were removed: clients that keep values in memory must forget them. */
  endStreams: (switched: readonly Pick<Standing, 'resource' | 'epoch'>[]) => Promise<void>;
  runtime: Runtime;
}

export class Switching {
  readonly #options: SwitchingOptions;
  #standings = new Map<string, Standing>();
  readonly #loop: BackgroundLoop;
  /** Called once for each time that another coordinator has switched a resource of this one. */
  onOvertaken: () => void = () => undefined;
  readonly #overtaken = new Set<string>();

  constructor(options: SwitchingOptions) {
    const { runtime } = options;
    this.#options = options;
    this.#loop = new BackgroundLoop({
      pass: (signal) => this.#pass(signal),
      backoff: { minMs: BUSY_POLL_MS, maxMs: POLL_MS, jitter: 'equal' },
      onFailure: (error) => runtime.log.debug({ err: error }, 'could not look at the policies'),
      runtime,
    });
  }

  /** Whether the resource's entries may be served and filled by this coordinator now. */
  isCacheable = ({ name, epoch }: Resource): boolean => {
    if (epoch === undefined) return true;
    const standing = this.#standings.get(name);
    return standing?.epoch === epoch && standing.isComplete;
  };

  /** Whether the resource's epoch is the last one that this coordinator has heard of. */
  isCurrent = ({ name, epoch }: Resource): boolean =>
    (this.#standings.get(name)?.epoch ?? 0) <= (epoch ?? 0);

  /** What is being switched now, as far as this coordinator knows. */
  report(): SwitchStatus[] {
    return [...this.#options.resources.values()].flatMap((resource): SwitchStatus[] => {
      const { name, epoch } = resource;
      const standing = this.#standings.get(name);
      if (standing === undefined || epoch === undefined || standing.epoch < epoch) return [];
      const { is, before } = standing.definition;
      if (standing.epoch > epoch) {
        const changes = changesBetween(definitionOf(resource), is);
        return [{ resource: name, state: 'not-followed', changes }];
      }
      if (standing.isComplete) return [];
      const changes = before === undefined ? [] : changesBetween(before, is);
      return [{ resource: name, state: 'settling', changes }];
    });
  }

  /** Why the cluster cannot switch to these, by resource. */
  async faults(resources: readonly Resource[]): Promise<{ resource: string; fault: string }[]> {
    const standings = new Map((await this.#options.store.standings()).map((s) => [s.resource, s]));
    return resources.flatMap((resource) => {
      const fault = switchFault(resource, standings.get(resource.name)?.definition ?? null);
      return fault === null ? [] : [{ resource: resource.name, fault }];
    });
  }

  /**
   * Switches the cluster to these, or follows it if it has switched to them already. Returns them with their epochs.
   * @throws LockstepError `FENCED` if the role is `follow` and the cluster has another definition; nothing has changed
   * then
   */
  async adopt(resources: readonly Resource[], role: SwitchRole): Promise<Resource[]> {
    const adopted = await this.#options.store.adopt(resources, role);
    const standings = new Map(adopted.map((standing) => [standing.resource, standing]));
    for (const [name, standing] of standings) this.#standings.set(name, standing);
    this.#loop.wake();
    return resources.map((resource) => Object.freeze(atStanding(resource, standings)));
  }

  start(): void {
    this.#loop.start();
  }

  stop(): Promise<void> {
    return this.#loop.stop();
  }

  /** Looks at once, and resolves when it has looked. */
  look(): Promise<void> {
    return this.#loop.wakeAndWait();
  }

  /** Resolves when no switch is running any more, or after `timeoutMs`; returns whether all are complete. */
  async completed(timeoutMs: number): Promise<boolean> {
    const { clock, timers } = this.#options.runtime;
    const deadlineMs = clock.nowMs() + timeoutMs;
    while (this.#incomplete().length > 0 && clock.nowMs() < deadlineMs) await timers.sleep(10);
    return this.#incomplete().length === 0;
  }

  /** The incomplete switches of this coordinator's resources at its own epoch. */
  #incomplete(): Standing[] {
    return [...this.#options.resources.values()].flatMap(({ name, epoch }) => {
      const standing = this.#standings.get(name);
      return standing !== undefined && standing.epoch === epoch && !standing.isComplete
        ? [standing]
        : [];
    });
  }

  /** Never rejects, because a failure must not delay the next look, for which a switch waits. */
  async #pass(signal: AbortSignal): Promise<number> {
    try {
      await this.#update();
      if (this.#incomplete().length > 0) await this.#complete(signal);
    } catch (error) {
      const { code, message } = toLockstepError(error);
      const { log } = this.#options.runtime;
      log.debug({ err: error, code }, `a switch of policies is tried again: ${message}`);
    }
    return this.#incomplete().length > 0 ? BUSY_POLL_MS : POLL_MS;
  }

  async #update(): Promise<void> {
    const { store, resources, runtime } = this.#options;
    for (const standing of await store.standings()) {
      const known = this.#standings.get(standing.resource);
      // A switch that was adopted while this was read is newer.
      if (known === undefined || standing.epoch >= known.epoch)
        this.#standings.set(standing.resource, standing);
    }
    let isOvertaken = false;
    for (const { name, epoch } of resources.values()) {
      const now = this.#standings.get(name)?.epoch ?? 0;
      const mark = `${name} ${now}`;
      if (epoch === undefined || now <= epoch || this.#overtaken.has(mark)) continue;
      this.#overtaken.add(mark);
      isOvertaken = true;
      runtime.log.warn(
        { resource: name },
        'another coordinator has switched the policy of a resource',
      );
    }
    if (isOvertaken) this.onOvertaken();
  }

  async #complete(signal: AbortSignal): Promise<void> {
    const { store, leadership, runtime, entries, forgetGeneration, endStreams } = this.#options;
    if (!entries.available) return;
    await leadership.lead(JOB, async () => {
      await this.#update();
      const incomplete = this.#incomplete();
      await store.writesEnded(signal);
      const removed = await this.#sweep(incomplete, signal);
      if (signal.aborted) return;
      await endStreams(incomplete);
      for (const { resource, epoch, definition } of incomplete) {
        if (isRefreshedByName(definition.is.policy)) await forgetGeneration(resource);
        await store.complete(resource, epoch);
      }
      await this.#update();
      const names = incomplete.map(({ resource }) => resource);
      runtime.log.info({ resources: names, removed }, 'the switch of policies is complete');
    });
  }

  #sweep(standings: readonly Standing[], signal: AbortSignal): Promise<number> {
    const templates = standings.flatMap(({ definition: { is, former } }) =>
      [is.cacheKey, ...is.invalidates, ...former].map((text) => new CacheKeyTemplate(text)),
    );
    return invalidateMatching(this.#options, madeByAny(templates), signal);
  }
}

/**
 * The resource at the cluster's epoch, with the state of its tables for which the cluster has swept. If the tables have
 * changed since, the next look finds the difference and leads a sweep. With the present state, nobody would sweep.
 */
function atStanding(resource: Resource, standings: ReadonlyMap<string, Standing>): Resource {
  const standing = standings.get(resource.name);
  const tables = standing?.definition.tables ?? resource.tables;
  const at = { ...resource, epoch: standing?.epoch ?? 0 };
  return tables === undefined ? at : { ...at, tables };
}
