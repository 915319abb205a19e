/**
 * Following the configuration without a restart: its resources, one reload at a time.
 *
 * Steps: read and check all of it -> bind it to the database -> switch what became another policy in the database (from
 * here on writes of the old one are refused everywhere) -> put the new resources in the place of the old ones here ->
 * schedules follow. Whatever fails before the switch has changed nothing.
 */
import type { FieldFault, ReloadReport } from '@lockstep/shared';
import { type Config, ConfigError } from '../config/index.ts';
import { bindResources, knowTables, type Database } from '../database/index.ts';
import {
  type Key,
  LockstepError,
  makeKey,
  type Resource,
  type WriteRequest,
} from '../domain/index.ts';
import { atMost, type Runtime } from '../runtime/index.ts';
import type { SwitchRole } from '../switching/index.ts';
import type { WriteService } from '../writes/index.ts';
import { refuseUnsafeCache } from './cache-policy.ts';
import type { Engine } from './engine.ts';

export type ReadConfig = () => Promise<Config>;

/** How long a write waits for this coordinator to follow a switch. */
const FOLLOW_MS = 5_000;
const FOLLOW_POLL_MS = 20;
/** How long the answer to a reload waits for switched resources to settle. */
const SETTLE_MS = 5_000;

/** What was changed, before it has settled. */
type Change = Omit<ReloadReport, 'settled'>;

export interface ReloadsOptions {
  config: Config;
  readConfig: ReadConfig;
  database: Database;
  engine: Engine;
  /** The resources that everything looks up. */
  resources: Map<string, Resource>;
  runtime: Runtime;
}

type Bound = Pick<WriteRequest, 'waitTimeoutMs'>;

/** What is left of the time that a caller gives; nothing where it gives no bound. */
function timeLeft({ waitTimeoutMs }: Bound, startedAtMs: number, clock: Runtime['clock']): Bound {
  if (waitTimeoutMs === undefined) return {};
  return { waitTimeoutMs: Math.max(1, startedAtMs + waitTimeoutMs - clock.nowMs()) };
}

/** Whether this coordinator has the resource at a later epoch. */
function isFollowed({ name, epoch }: Resource, resources: ReadonlyMap<string, Resource>): boolean {
  const now = resources.get(name)?.epoch;
  return epoch !== undefined && now !== undefined && now > epoch;
}

export class Reloads {
  readonly #options: ReloadsOptions;
  #last: Promise<unknown> = Promise.resolve();
  #isStopped = false;

  constructor(options: ReloadsOptions) {
    this.#options = options;
    const { switching } = options.engine;
    switching.onOvertaken = () => {
      this.#inTurn(() => this.#reload('follow')).catch((error: unknown) =>
        options.runtime.log.warn(
          { err: error },
          'a switch of another coordinator could not be followed; writes of that resource are refused here',
        ),
      );
    };
  }

  /** Follows the configuration as it is now. @throws ConfigError with all its faults; nothing has changed then */
  reload(): Promise<Change> {
    return this.#inTurn(() => this.#reload('lead'));
  }

  /**
   * The same for the API, which is answered when what was switched has settled: a coordinator that has not noticed yet
   * serves what is in the cache, and from then on nothing old is. @throws LockstepError `INVALID` with every fault
   */
  async asked(): Promise<ReloadReport> {
    try {
      const change = await this.reload();
      return { ...change, settled: await this.#options.engine.switching.settled(SETTLE_MS) };
    } catch (error) {
      if (!(error instanceof ConfigError)) throw error;
      throw new LockstepError('INVALID', 'The configuration has faults; nothing was changed.', {
        details: { errors: [...error.faults] },
      });
    }
  }

  /**
   * Writes and transactions that are refused because a resource of theirs was switched are tried once more when this
   * coordinator has followed, within the time that their caller gives them.
   */
  follow(writes: WriteService): WriteService {
    const { clock } = this.#options.runtime;
    return {
      write: async (request) => {
        const startedAtMs = clock.nowMs();
        try {
          return await writes.write(request);
        } catch (error) {
          const [write] = await this.#successors(error, [request], request, startedAtMs);
          return writes.write({ ...request, ...write, ...timeLeft(request, startedAtMs, clock) });
        }
      },
      transact: async (request) => {
        const startedAtMs = clock.nowMs();
        try {
          return await writes.transact(request);
        } catch (error) {
          const all = await this.#successors(error, request.writes, request, startedAtMs);
          return writes.transact({
            ...{ ...request, writes: all },
            ...timeLeft(request, startedAtMs, clock),
          });
        }
      },
      invalidate: (keys, cacheKeys) => writes.invalidate(keys, cacheKeys),
    };
  }

  async stop(): Promise<void> {
    this.#isStopped = true;
    await this.#last.catch(() => undefined);
  }

  /**
   * The same writes with their resources as they are after a switch.
   * @throws `error` where it tells of none, or where this coordinator does not follow in time
   */
  async #successors<W extends { key: Key }>(
    error: unknown,
    writes: readonly W[],
    bound: Bound,
    startedAtMs: number,
  ): Promise<W[]> {
    if (!(error instanceof LockstepError) || error.code !== 'FENCED') throw error;
    const { resources, runtime } = this.#options;
    const old = new Set(writes.map(({ key }) => key.resource));
    if ([...old].every(({ epoch }) => epoch === undefined)) throw error;
    const { waitTimeoutMs: leftMs = FOLLOW_MS } = timeLeft(bound, startedAtMs, runtime.clock);
    const deadlineMs = runtime.clock.nowMs() + Math.min(leftMs, FOLLOW_MS);
    if (![...old].some((each) => isFollowed(each, resources))) await this.#look(deadlineMs);
    const followed = new Map<Resource, Resource>();
    for (const each of old) {
      const next = await this.#successor(each, deadlineMs);
      if (next === null) throw error;
      followed.set(each, next);
    }
    // Refused by another turn's fence, and not by a switch.
    if ([...followed].every(([each, next]) => each === next)) throw error;
    return writes.map((write) => {
      const { parts, resource } = write.key;
      return { ...write, key: makeKey(followed.get(resource) ?? resource, parts) };
    });
  }

  /** The resource at its next epoch; itself where it has none; null where this coordinator does not follow in time. */
  async #successor(old: Resource, deadlineMs: number): Promise<Resource | null> {
    const { engine, resources, runtime } = this.#options;
    const next = (): Resource | null =>
      isFollowed(old, resources) ? (resources.get(old.name) ?? null) : null;
    if (next() === null && (old.epoch === undefined || engine.switching.isCurrent(old))) return old;
    while (next() === null && runtime.clock.nowMs() < deadlineMs && !this.#isStopped)
      await runtime.timers.sleep(FOLLOW_POLL_MS);
    return next();
  }

  /** Asks the database what was switched; not for longer than there is time: a switch may be settling meanwhile. */
  async #look(deadlineMs: number): Promise<void> {
    const { engine, runtime } = this.#options;
    await atMost(runtime.timers, deadlineMs - runtime.clock.nowMs(), engine.switching.look());
  }

  #inTurn<T>(task: () => Promise<T>): Promise<T> {
    const run = this.#last
      .catch(() => undefined)
      .then(() => {
        if (!this.#isStopped) return task();
        throw new LockstepError('SHUTTING_DOWN', 'This instance is stopping.');
      });
    this.#last = run;
    return run;
  }

  /** @param role `follow`: only where it is what the cluster has switched to already */
  async #reload(role: SwitchRole): Promise<Change> {
    const { config: old, readConfig, engine, resources, runtime } = this.#options;
    const config = await readConfig();
    const bound = await this.#checked(old, config);
    const before = new Map(resources);
    const adopted = await engine.switching.adopt(bound, role);
    const report = reportOf(before, adopted);
    for (const name of report.removed) resources.delete(name);
    for (const resource of adopted) resources.set(resource.name, resource);
    runtime.log.info({ ...report }, 'the configuration was reloaded');
    // A table that is new to it is taken for one that it has missed changes of: its entries are swept.
    engine.changeLog?.refollow();
    // Not awaited: runs under way end as they would, and may take their time.
    Promise.all([engine.audits.resourcesChanged(), engine.refreshes.resourcesChanged()]).catch(
      (error: unknown) => runtime.log.error({ err: error }, 'schedules did not follow'),
    );
    return report;
  }

  /** The resources of a configuration that this instance can follow. @throws ConfigError */
  async #checked(old: Config, config: Config): Promise<Resource[]> {
    const { database, engine } = this.#options;
    const { resources: bound, faults } = await bindResources(config.resources, database.catalog);
    const switchFaults = (await engine.switching.faults(bound)).map(cacheKeyFault);
    const all = [...fixedFaults(old, config), ...faults, ...switchFaults];
    if (all.length > 0) throw new ConfigError(all);
    await refuseUnsafeCache(engine.cache, bound);
    return knowTables(database.sql, bound);
  }
}

export const cacheKeyFault = ({
  resource,
  fault,
}: {
  resource: string;
  fault: string;
}): FieldFault => ({ path: `resources.${resource}.cacheKey`, message: fault });

/** Everything but the resources stands as long as the process. */
function fixedFaults(old: Config, config: Config): FieldFault[] {
  const faults: FieldFault[] = [];
  const compare = (path: string, was: unknown, is: unknown): void => {
    if (JSON.stringify(was) === JSON.stringify(is)) return;
    if (isRecord(was) && isRecord(is)) {
      for (const name of new Set([...Object.keys(was), ...Object.keys(is)]))
        compare(`${path}.${name}`, was[name], is[name]);
      return;
    }
    faults.push({
      path,
      message: 'cannot be changed while the coordinator runs; allowed: what it was, or a restart',
    });
  };
  const { resources: _old, ...fixed } = old;
  const { resources: _new, ...wanted } = config;
  for (const [name, was] of Object.entries(fixed))
    compare(name, was, wanted[name as keyof typeof wanted]);
  return faults;
}

function reportOf(before: ReadonlyMap<string, Resource>, adopted: readonly Resource[]): Change {
  const names = new Set(adopted.map(({ name }) => name));
  const known = adopted.filter(({ name }) => before.has(name));
  const textOf = (resource: Resource | undefined): string =>
    JSON.stringify(resource, (_, value: unknown) =>
      typeof value === 'bigint' ? String(value) : value,
    );
  const nameOf = ({ name }: Resource): string => name;
  return {
    added: adopted.filter(({ name }) => !before.has(name)).map(nameOf),
    removed: [...before.keys()].filter((name) => !names.has(name)),
    changed: known.filter((each) => textOf(each) !== textOf(before.get(each.name))).map(nameOf),
    switched: known.filter(({ name, epoch }) => before.get(name)?.epoch !== epoch).map(nameOf),
  };
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
