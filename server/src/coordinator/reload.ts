/**
 * Following the configuration without a restart: its resources, one reload at a time.
 *
 * Steps: read and check all of it -> bind it to the database -> switch what became another policy in the database (from
 * here on writes of the old one are refused everywhere) -> put the new resources in the place of the old ones here ->
 * schedules follow. Whatever fails before the switch has changed nothing.
 */
import type { FieldFault, ReloadReport } from '@lockstep/shared';
import { type Config, ConfigError } from '../config/index.ts';
import { bindResources, type Database } from '../database/index.ts';
import { LockstepError, makeKey, type Resource } from '../domain/index.ts';
import type { Runtime } from '../runtime/index.ts';
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

  /** Writes that are refused because their resource was switched are tried once more when this coordinator has followed. */
  follow(writes: WriteService): WriteService {
    return {
      write: async (request) => {
        try {
          return await writes.write(request);
        } catch (error) {
          const { key } = request;
          if (!(error instanceof LockstepError) || error.code !== 'FENCED') throw error;
          const resource = await this.#successor(key.resource);
          if (resource === null) throw error;
          return writes.write({ ...request, key: makeKey(resource, key.parts) });
        }
      },
      transact: (request) => writes.transact(request),
      invalidate: (keys, cacheKeys) => writes.invalidate(keys, cacheKeys),
    };
  }

  async stop(): Promise<void> {
    this.#isStopped = true;
    await this.#last.catch(() => undefined);
  }

  /** The resource at its next epoch; null where it has none, or where this coordinator does not follow in time. */
  async #successor(old: Resource): Promise<Resource | null> {
    const { engine, resources, runtime } = this.#options;
    if (old.epoch === undefined) return null;
    const next = (): Resource | null => {
      const now = resources.get(old.name);
      return now?.epoch !== undefined && now.epoch > (old.epoch ?? 0) ? now : null;
    };
    if (next() === null) await engine.switching.look();
    // Refused by another turn's fence, and not by a switch.
    if (next() === null && engine.switching.isCurrent(old)) return null;
    const deadlineMs = runtime.clock.nowMs() + FOLLOW_MS;
    while (next() === null && runtime.clock.nowMs() < deadlineMs && !this.#isStopped)
      await runtime.timers.sleep(FOLLOW_POLL_MS);
    return next();
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
    return bound;
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
