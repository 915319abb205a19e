/**
 * Follows changes of the configuration's resources without a restart, one reload at a time.
 *
 * Steps: read and check the whole configuration -> bind it to the database -> check the servers for it -> switch the
 * changed policies in the database (from then on, writes by the old policies are refused) -> replace the resources in
 * this process -> update the schedules. A failure before the switch changes nothing.
 */
import type { FieldFault, ReloadReport, Row } from '@lockstep/shared';
import type { ClusterRegistry } from '../checks/index.ts';
import { type Config, ConfigError } from '../config/index.ts';
import { bindResources, type Database, isOfSchema, knowTables } from '../database/index.ts';
import { type Change, type Key, LockstepError, makeKey, type Resource } from '../domain/index.ts';
import { atMost, type Runtime, Sequence } from '../runtime/index.ts';
import type { ReadService } from '../reads/index.ts';
import type { SwitchRole } from '../switching/index.ts';
import type { WriteService } from '../writes/index.ts';
import { assertColumns, type Bound, isFollowed, timeLeft } from './after-switch.ts';
import {
  cacheKeyFault,
  fixedFaults,
  isSameTable,
  type Reloaded,
  reportOf,
} from './configuration-changes.ts';
import { refuseUnsafeCache } from './cache-policy.ts';
import type { Engine } from './engine.ts';
import { TableFaults, withoutTable } from './table-faults.ts';

export type ReadConfig = () => Promise<Config>;

/** How long a call waits for this coordinator to follow a switch, or to look at its table again. */
const FOLLOW_MS = 5_000;
const FOLLOW_POLL_MS = 20;
const LOOK_AGAIN_PAUSE_MS = 200;
/** The pause before such a look is longer than the last look by this factor, so that calls do not load the database. */
const LOOK_AGAIN_PAUSE_FACTOR = 5;
/** How many switches a write follows before it is refused. */
const MAX_SWITCHES = 4;
/** How long the answer to a reload waits until its switches are complete. */
const COMPLETE_MS = 5_000;

export interface ReloadsOptions {
  config: Config;
  readConfig: ReadConfig;
  /** What is wrong with the servers for a configuration: rights that its resources need, for one. */
  serverFaults: (config: Config) => Promise<FieldFault[]>;
  database: Database;
  engine: Engine;
  /** The resources that everything looks up. */
  resources: Map<string, Resource>;
  clusters: Pick<ClusterRegistry, 'propose' | 'endProposal'>;
  runtime: Runtime;
}

export class Reloads {
  readonly #options: ReloadsOptions;
  /** The configuration that was read last. */
  #config: Config;
  readonly #tableFaults: TableFaults;
  readonly #tasks = new Sequence();
  /** A queued check of the tables that has not begun yet. */
  #nextLook: Promise<void> | null = null;
  /** The look for calls whose table did not fit, until it begins. */
  #nextLookAgain: Promise<void> | null = null;
  #lastLook = { beganAtMs: -Infinity, tookMs: 0 };
  #isStopped = false;

  constructor(options: ReloadsOptions) {
    this.#options = options;
    this.#config = options.config;
    this.#tableFaults = new TableFaults(options.runtime.log);
    const { switching } = options.engine;
    switching.onOvertaken = () => {
      this.#overtaken().catch((error: unknown) =>
        options.runtime.log.warn(
          { err: error },
          'a switch of another coordinator could not be followed; writes of that resource are refused here',
        ),
      );
    };
  }

  /** Reads the configuration and follows it. @throws ConfigError with all its faults; nothing has changed then */
  reload(): Promise<Reloaded> {
    return this.#inSequence(() => this.#reload('lead'));
  }

  /**
   * The same for the API. It waits until the switches are complete: before that, a coordinator that has not noticed
   * them may serve old entries.
   * @throws LockstepError `INVALID` with every fault
   */
  async asked(): Promise<ReloadReport> {
    try {
      const change = await this.reload();
      return { ...change, settled: await this.#options.engine.switching.completed(COMPLETE_MS) };
    } catch (error) {
      if (!(error instanceof ConfigError)) throw error;
      throw new LockstepError('INVALID', 'The configuration has faults; nothing was changed.', {
        details: { errors: [...error.faults] },
      });
    }
  }

  /**
   * If a write or transaction is refused because one of its resources was switched, tries it again when this
   * coordinator has followed the switch, within the time that the caller allows.
   */
  follow(writes: WriteService): WriteService {
    return {
      write: async (request) => {
        if (this.#tableFaults.areThere) await this.#assertFit([request.key.resource]);
        return this.#throughSwitches([request], request, ([write], left) =>
          writes.write({ ...request, ...write, ...left }),
        );
      },
      newKeys: async (request) => {
        if (this.#tableFaults.areThere)
          await this.#assertFit(request.rows.map(({ resource }) => resource));
        try {
          return await writes.newKeys(request);
        } catch (error) {
          return writes.newKeys({ ...request, rows: await this.#followed(request.rows, error) });
        }
      },
      transact: async (request) => {
        if (this.#tableFaults.areThere)
          await this.#assertFit(request.writes.map(({ key }) => key.resource));
        return this.#throughSwitches(request.writes, request, (all, left) =>
          writes.transact({ ...request, writes: all, ...left }),
        );
      },
      writeSet: async (request) => {
        if (this.#tableFaults.areThere) await this.#assertFit([request.resource]);
        const { change } = request;
        const asked = { ...request, set: change.op === 'patch' ? change.set : {} };
        try {
          return await writes.writeSet(request);
        } catch (error) {
          const [followed] = await this.#followed([asked], error);
          return writes.writeSet(followed ?? request);
        }
      },
      invalidate: (keys, cacheKeys) => writes.invalidate(keys, cacheKeys),
    };
  }

  /** If a read fails because its table has changed, tries it once more when the new columns are known. */
  followReads(reads: ReadService): ReadService {
    return {
      read: async (asked, options) => {
        let key = asked;
        if (this.#tableFaults.areThere) {
          await this.#assertFit([asked.resource]);
          key = this.#now(asked);
        }
        try {
          return await reads.read(key, options);
        } catch (error) {
          if (!isOfSchema(error)) throw error;
          await this.followTables();
          this.#tableFaults.assertNone(key.resource);
          const next = this.#now(key);
          if (next === key) throw error;
          return reads.read(next, options);
        }
      },
    };
  }

  /**
   * Reads the tables' descriptions again, and follows those that have changed. While a table does not fit its resource's
   * configuration, only calls of that resource fail.
   */
  followTables(): Promise<void> {
    this.#nextLook ??= this.#inSequence(() => {
      this.#nextLook = null;
      return this.#rebind();
    });
    return this.#nextLook;
  }

  /**
   * Looks again before it refuses a call: the last look may have met a table between its `DROP` and its `CREATE`.
   * @throws LockstepError `DATABASE_UNAVAILABLE` if the table of any of them does not fit
   */
  async #assertFit(resources: readonly Resource[]): Promise<void> {
    if (!resources.some(({ name }) => this.#tableFaults.has(name))) return;
    // If it fails, what the last one found holds.
    const looked = this.#lookAgain().catch(() => undefined);
    await atMost(this.#options.runtime.timers, FOLLOW_MS, looked);
    for (const each of resources) this.#tableFaults.assertNone(each);
  }

  /** A look that begins after this call, and with a pause after the last one. */
  #lookAgain(): Promise<void> {
    const { clock, timers } = this.#options.runtime;
    const { beganAtMs, tookMs } = this.#lastLook;
    const pauseMs = Math.max(LOOK_AGAIN_PAUSE_MS, LOOK_AGAIN_PAUSE_FACTOR * tookMs);
    this.#nextLookAgain ??= timers
      .sleep(Math.max(0, beganAtMs + tookMs + pauseMs - clock.nowMs()))
      .then(() => {
        this.#nextLookAgain = null;
        return this.followTables();
      });
    return this.#nextLookAgain;
  }

  /** The key with its resource as it is now. */
  #now(key: Key): Key {
    const resource = this.#options.resources.get(key.resource.name) ?? key.resource;
    return resource === key.resource ? key : makeKey(resource, key.parts);
  }

  /** The configuration that is followed now. */
  get config(): Config {
    return this.#config;
  }

  /** One line for each resource whose table does not fit its configuration now. */
  get tableFaults(): string[] {
    return this.#tableFaults.lines;
  }

  async stop(): Promise<void> {
    this.#isStopped = true;
    await this.#tasks.ended();
  }

  /** One DDL statement can be several switches: each coordinator may find another part of what has changed. */
  async #throughSwitches<W extends { key: Key; change?: Change }, T>(
    writes: readonly W[],
    bound: Bound,
    attempt: (writes: readonly W[], left: Bound) => Promise<T>,
  ): Promise<T> {
    const { clock } = this.#options.runtime;
    const startedAtMs = clock.nowMs();
    let now = writes;
    for (let left = bound, switches = 0; ; switches += 1) {
      try {
        return await attempt(now, left);
      } catch (error) {
        if (switches === MAX_SWITCHES) throw error;
        now = await this.#successors(error, now, bound, startedAtMs);
        left = timeLeft(bound, startedAtMs, clock);
      }
    }
  }

  /**
   * The same writes with their resources as they are after a switch.
   * @throws `error` if no switch caused it, or if this coordinator does not follow in time
   */
  async #successors<W extends { key: Key; change?: Change }>(
    error: unknown,
    writes: readonly W[],
    bound: Bound,
    startedAtMs: number,
  ): Promise<W[]> {
    const isSchema = isOfSchema(error);
    if (!isSchema && (!(error instanceof LockstepError) || error.code !== 'FENCED')) throw error;
    const { resources, runtime } = this.#options;
    const old = new Set(writes.map(({ key }) => key.resource));
    if (isSchema) await this.followTables();
    for (const each of old) this.#tableFaults.assertNone(each);
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
    // The write was refused because of another holder's fence, not because of a switch.
    if ([...followed].every(([each, next]) => each === next)) throw error;
    return writes.map((write) => {
      const { parts, resource } = write.key;
      const next = followed.get(resource) ?? resource;
      assertColumns(next, write);
      return { ...write, key: makeKey(next, parts) };
    });
  }

  /**
   * New rows with their resources as the tables are now: the sequence of a default may have another name.
   * @throws `error` if no table has changed
   */
  async #followed<R extends { resource: Resource; set: Row }>(
    rows: readonly R[],
    error: unknown,
  ): Promise<R[]> {
    if (!isOfSchema(error)) throw error;
    await this.followTables();
    return rows.map((row) => {
      const next = this.#options.resources.get(row.resource.name);
      if (next === undefined || next === row.resource) throw error;
      this.#tableFaults.assertNone(next);
      assertColumns(next, { change: { op: 'put', set: row.set, onlyCreate: true } });
      return { ...row, resource: next };
    });
  }

  /** Another coordinator has switched resources, because of its configuration or because their tables have changed. */
  async #overtaken(): Promise<void> {
    try {
      await this.#inSequence(() => this.#reload('follow'));
    } catch (error) {
      await this.followTables();
      const { engine, resources } = this.#options;
      if (![...resources.values()].every((each) => engine.switching.isCurrent(each))) throw error;
    }
  }

  /**
   * The resource at its next epoch; the same one if there is none; null if this coordinator does not follow in time.
   */
  async #successor(old: Resource, deadlineMs: number): Promise<Resource | null> {
    const { engine, resources, runtime } = this.#options;
    const next = (): Resource | null =>
      isFollowed(old, resources) ? (resources.get(old.name) ?? null) : null;
    if (next() === null && (old.epoch === undefined || engine.switching.isCurrent(old))) return old;
    while (next() === null && runtime.clock.nowMs() < deadlineMs && !this.#isStopped)
      await runtime.timers.sleep(FOLLOW_POLL_MS);
    return next();
  }

  /** Asks the database what was switched, within the deadline, because it may have to wait for a running switch. */
  async #look(deadlineMs: number): Promise<void> {
    const { engine, runtime } = this.#options;
    await atMost(runtime.timers, deadlineMs - runtime.clock.nowMs(), engine.switching.look());
  }

  #inSequence<T>(task: () => Promise<T>): Promise<T> {
    return this.#tasks.run(async () => {
      if (!this.#isStopped) return task();
      throw new LockstepError('SHUTTING_DOWN', 'This instance is stopping.');
    });
  }

  /** @param role `follow`: only if the cluster has already switched to the same configuration */
  async #reload(role: SwitchRole): Promise<Reloaded> {
    try {
      return await this.#replace(role);
    } finally {
      // Not awaited, because it takes long if the cache does not answer.
      void this.#options.clusters.endProposal();
    }
  }

  async #replace(role: SwitchRole): Promise<Reloaded> {
    const {
      config: old,
      readConfig,
      serverFaults,
      engine,
      resources,
      clusters,
      runtime,
    } = this.#options;
    const config = await readConfig();
    const bound = await this.#checked(old, config);
    // The leading coordinator has already checked the servers, and compared this configuration with other clusters.
    for (const faultsOf of role === 'lead' ? [serverFaults, () => clusters.propose(bound)] : []) {
      const faults = await faultsOf(config);
      if (faults.length > 0) throw new ConfigError(faults);
    }
    const before = new Map(resources);
    const adopted = await engine.switching.adopt(bound, role);
    this.#config = config;
    this.#tableFaults.note([]);
    const report = reportOf(before, adopted);
    for (const name of report.removed) resources.delete(name);
    for (const resource of adopted) resources.set(resource.name, resource);
    engine.owners.refresh();
    engine.staleWatch.refresh();
    runtime.log.info({ ...report }, 'the configuration was reloaded');
    // The follower may have missed changes of a table that is new to it, so its entries are swept.
    engine.changeLog?.refollow();
    // Not awaited, because it waits for the runs in flight, which may take long.
    Promise.all([engine.audits.resourcesChanged(), engine.refreshes.resourcesChanged()]).catch(
      (error: unknown) => runtime.log.error({ err: error }, 'schedules did not follow'),
    );
    return report;
  }

  async #rebind(): Promise<void> {
    const { database, engine, resources, runtime } = this.#options;
    const beganAtMs = runtime.clock.nowMs();
    const { resources: bound, faults } = await this.#bind(this.#config);
    this.#lastLook = { beganAtMs, tookMs: runtime.clock.nowMs() - beganAtMs };
    this.#tableFaults.note(faults);
    const fresh = new Map(bound.map((each) => [each.name, each]));
    const before = new Map(resources);
    const next = [...before.values()].map((each) => {
      const isUnfit = this.#tableFaults.has(each.name);
      const found = isUnfit ? withoutTable(each) : fresh.get(each.name);
      return found === undefined || isSameTable(each, found) ? each : found;
    });
    const { switching } = engine;
    const changed = next.filter(
      (each) => before.get(each.name) !== each || !switching.isCurrent(each),
    );
    const names: string[] = [];
    for (const each of await knowTables(database.sql, changed)) {
      if (await this.#adoptChanged(each, before.get(each.name)?.epoch)) names.push(each.name);
    }
    if (names.length === 0) return;
    engine.owners.refresh();
    engine.staleWatch.refresh();
    runtime.log.warn({ resources: names }, 'tables have changed, and are followed');
    engine.changeLog?.refollow();
    await Promise.all([engine.audits.resourcesChanged(), engine.refreshes.resourcesChanged()]);
  }

  /**
   * Adopts resources one by one, so that one that another coordinator has configured differently does not stop the
   * others.
   */
  async #adoptChanged(resource: Resource, epoch: number | undefined): Promise<boolean> {
    const { engine, resources, runtime } = this.#options;
    const at = epoch === undefined ? resource : { ...resource, epoch };
    try {
      for (const adopted of await engine.switching.adopt([at], 'look'))
        resources.set(adopted.name, adopted);
      return true;
    } catch (error) {
      if (!(error instanceof LockstepError) || error.code !== 'FENCED') throw error;
      runtime.log.debug(
        { err: error, resource: resource.name },
        'a changed table could not be followed yet',
      );
      return false;
    }
  }

  #bind({ resources }: Config): ReturnType<typeof bindResources> {
    const { catalog, rowNames } = this.#options.database;
    return bindResources(resources, catalog, rowNames);
  }

  /** Binds and checks the resources of a configuration. @throws ConfigError */
  async #checked(old: Config, config: Config): Promise<Resource[]> {
    const { database, engine } = this.#options;
    const { resources: bound, faults } = await this.#bind(config);
    const switchFaults = (await engine.switching.faults(bound)).map(cacheKeyFault);
    const all = [...fixedFaults(old, config), ...faults, ...switchFaults];
    if (all.length > 0) throw new ConfigError(all);
    await refuseUnsafeCache(engine.cache, bound);
    return knowTables(database.sql, bound);
  }
}
