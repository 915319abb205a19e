/** A simulated world: servers, coordinators with the shipped engine, the links between them, and one scheduler. */
import {
  breakClient,
  breakLooks,
  breakOne,
  type Control,
  isClientControl,
  isEngineControl,
  isLocalControl,
} from '@lockstep/testkit/controls';
import type { ClientRuntime } from '../../../client/src/runtime.ts';
import { LocalLevel } from '../../../client/src/local-level.ts';
import type { EnginePorts } from '../../../server/src/coordinator/engine-ports.ts';
import {
  invalidationStream,
  type Resource,
  type TelemetryEvent,
} from '../../../server/src/domain/index.ts';
import { SingleFlight } from '../../../server/src/reads/single-flight.ts';
import type { ReadAnswer } from '../../../server/src/reads/port.ts';
import type { Runtime } from '../../../server/src/runtime/ports.ts';
import { SERVER_NAMES, type Plan, type ServerName } from '../plan/plan.ts';
import { cacheBackDoorOn, entryStoreOn, scannerOn, type Waiting } from '../servers/entry-store.ts';
import { LockNode } from '../servers/lock-node.ts';
import { guardStoreOn } from '../servers/guard-store.ts';
import { lockBackDoorOn, lockNodesOn, type SendToNode } from '../servers/lock-nodes.ts';
import { MemoryCache } from '../servers/memory-cache.ts';
import { MemoryDatabase } from '../servers/memory-database.ts';
import { MemoryStreams } from '../servers/memory-streams.ts';
import { cachePortOn } from '../services/cache-port.ts';
import { ServiceProcess } from '../services/service-process.ts';
import { streamLooksOn } from '../services/stream-looks.ts';
import { outboxStoreOn } from '../servers/outbox-store.ts';
import { rowStoreOn, type TransactionWatch } from '../servers/row-store.ts';
import type { SendToDatabase } from '../servers/send-to-database.ts';
import { CacheLink } from './cache-link.ts';
import { CoordinatorProcess } from './coordinator-process.ts';
import { MachineClock } from './machine-clock.ts';
import { MessageFates } from './message-fates.ts';
import { type Caller, Network } from './network.ts';
import { SeededRandom } from '@lockstep/testkit/seeded-random';
import {
  CLUSTER,
  keyOfEntry,
  LOCAL,
  ownerOfEntry,
  simulatedResources,
  TABLE_RULES,
} from './resources.ts';
import { Scheduler } from './scheduler.ts';
import { Server } from './server.ts';
import { EPOCH_MS, TIMING } from './timing.ts';
import type { Trace } from './trace.ts';
import { Weather } from './weather.ts';

/** How a replica of the cache is waited for after an intent. */
export type Replicated = Waiting['on'] | 'not-waited';

export interface WorldOptions {
  plan: Plan;
  control: Control | null;
  trace: (scheduler: Scheduler) => Trace;
  /** `strict.verifyIntent`. */
  verifyIntent: boolean;
  /** How a replica of the cache is waited for; null: there is none. */
  replicated: Replicated | null;
  onTelemetry: (process: CoordinatorProcess, event: TelemetryEvent) => void;
}

/** No value is refused for its size. */
const LOCAL_BYTES = 10_000_000;
const STREAM = invalidationStream(CLUSTER, LOCAL);
const LOCK_NAMES = ['lock 1', 'lock 2', 'lock 3'] as const;

export class World {
  readonly scheduler = new Scheduler();
  readonly weather = new Weather();
  readonly trace: Trace;
  readonly fates: MessageFates;
  readonly network: Network;
  readonly resources: ReadonlyMap<string, Resource>;
  readonly cache: MemoryCache;
  /** Null: clients keep nothing in memory. */
  readonly streams: MemoryStreams | null;
  readonly database: MemoryDatabase;
  readonly lockNodes: readonly LockNode[];
  /** The names of rows that were inserted, in the order of the answers. */
  readonly inserted: string[] = [];
  readonly #options: WorldOptions;
  readonly #servers = new Map<ServerName, Server>();
  readonly #serverClocks = new Map<ServerName, MachineClock>();
  readonly #coordinatorClocks: MachineClock[];
  /** The processes by coordinator; undefined while none runs. */
  readonly #processes: (CoordinatorProcess | undefined)[] = [];
  readonly #incarnations: number[] = [];
  readonly #services = new Map<number, ServiceProcess>();
  /** Functions that roll back the open transactions of each process. */
  readonly #transactions = new WeakMap<CoordinatorProcess, (() => void)[]>();

  constructor(options: WorldOptions) {
    const { plan } = options;
    this.#options = options;
    this.trace = options.trace(this.scheduler);
    this.resources = simulatedResources(plan.valueTtlMs, plan.local !== null);
    this.fates = new MessageFates(plan.seed, plan.hazards, plan.mishaps);
    this.network = new Network({
      ...{ scheduler: this.scheduler, weather: this.weather, trace: this.trace },
      fates: this.fates,
    });
    for (const name of SERVER_NAMES) {
      this.#servers.set(name, new Server(name));
      const rate = plan.clockRates.servers[name];
      this.#serverClocks.set(name, new MachineClock(this.scheduler, rate, EPOCH_MS));
    }
    this.#coordinatorClocks = plan.clockRates.coordinators.map(
      (rate) => new MachineClock(this.scheduler, rate, EPOCH_MS),
    );
    const wallMs = (): number => this.clock('cache').wallMs();
    this.streams =
      plan.local === null ? null : new MemoryStreams({ length: plan.local.streamLength, wallMs });
    this.cache = new MemoryCache({
      leaseTtlMs: TIMING.leaseTtlMs,
      tombstoneTtlMs: TIMING.tombstoneTtlMs,
      isEntryKey: (cacheKey) => keyOfEntry(this.resources, cacheKey) !== null,
      ownerOf: (cacheKey) => ownerOfEntry(this.resources, cacheKey),
      tell: (cacheKey) => this.#tell(cacheKey),
      wallMs,
      isReplicated: options.replicated !== null,
    });
    this.database = new MemoryDatabase(TABLE_RULES, () => this.clock('database').wallMs());
    this.lockNodes = LOCK_NAMES.map((name) => new LockNode(() => this.clock(name).wallMs()));
    for (let index = 0; index < plan.coordinators; index += 1) this.start(index);
  }

  get coordinators(): number {
    return this.#options.plan.coordinators;
  }

  /** Whether strict writes check their intents again before they commit. */
  get verifyIntent(): boolean {
    return this.#options.verifyIntent;
  }

  /** Whether callers with guards call `lockstep_guard` in their transactions, as they must. */
  get callsGuards(): boolean {
    return this.#options.control !== 'transaction-without-guard';
  }

  get plan(): Plan {
    return this.#options.plan;
  }

  /** The running process; undefined if the last one was killed. */
  process(index: number): CoordinatorProcess | undefined {
    return this.#processes[index];
  }

  processes(): CoordinatorProcess[] {
    return this.#processes.filter((process) => process !== undefined);
  }

  /** A service with the client, from 0. It starts with its first call. */
  service(index: number): ServiceProcess {
    let service = this.#services.get(index);
    if (service === undefined) {
      service = new ServiceProcess({
        ...{ world: this, index },
        random: SeededRandom.of(this.#options.plan.seed, `service ${index}`),
        openCache: (caller) => {
          const link = new CacheLink(this.network, this.server('cache'), caller, false);
          const own = cachePortOn(this.cache, link);
          const { control } = this.#options;
          if (control === null || !isClientControl(control)) return own;
          return breakClient(control, own, cacheBackDoorOn(this.cache, link.send));
        },
        openLocal: (caller, runtime) => this.#openLocal(caller, runtime),
      });
      this.#services.set(index, service);
    }
    return service;
  }

  #openLocal(service: Caller, runtime: ClientRuntime): LocalLevel | null {
    const { streams, scheduler } = this;
    if (streams === null) return null;
    const { control } = this.#options;
    // A connection of its own: its messages are in no order with those of the other one.
    const caller: Caller = {
      ...{ name: `${service.name}'s looks`, index: service.index, isGone: false },
      deliver: (run) => service.deliver(run),
      timeout: (delayMs, run) => service.timeout(delayMs, run),
    };
    const link = new CacheLink(this.network, this.server('cache'), caller, false);
    return new LocalLevel({
      ...{ maxBytes: LOCAL_BYTES, maxLagMs: TIMING.localLagMs, runtime },
      connect: (waitMs) => {
        const looks = streamLooksOn({ streams, link, scheduler, waitMs });
        return control !== null && isLocalControl(control) ? breakLooks(control, looks) : looks;
      },
    });
  }

  /** As `append_message` does, in the step that invalidates. */
  #tell(cacheKey: string): void {
    const isLocal = keyOfEntry(this.resources, cacheKey)?.resource.name === LOCAL;
    if (isLocal) this.streams?.invalidated(STREAM, cacheKey);
  }

  /** As coordinators do for resources of level `local`. */
  #keepStreams(process: CoordinatorProcess, link: CacheLink): void {
    const { streams } = this;
    if (streams === null) return;
    const again = (): void =>
      void process.timeout(TIMING.keepStreamsMs, () => this.#keepStreams(process, link));
    link.send('keep-streams', '', () => streams.keep(STREAM)).then(again, again);
  }

  server(name: ServerName): Server {
    return known(this.#servers.get(name));
  }

  clock(machine: number | ServerName): MachineClock {
    return known(
      typeof machine === 'number'
        ? this.#coordinatorClocks[machine]
        : this.#serverClocks.get(machine),
    );
  }

  /** Starts a process for a coordinator that has none. */
  start(index: number): void {
    if (this.#processes[index] !== undefined) return;
    const incarnation = (this.#incarnations[index] ?? 0) + 1;
    this.#incarnations[index] = incarnation;
    const purpose = `coordinator ${index}.${incarnation}`;
    this.#processes[index] = new CoordinatorProcess({
      ...{ index, incarnation },
      scheduler: this.scheduler,
      clock: this.clock(index),
      random: SeededRandom.of(this.#options.plan.seed, purpose),
      trace: this.trace,
      resources: this.resources,
      verifyIntent: this.#options.verifyIntent,
      telemetry: (process) => ({
        emit: (event) => this.#options.onTelemetry(process, event),
      }),
      ports: (process, runtime) => this.#ports(process, runtime),
    });
  }

  /** Kills a coordinator's process. Some of its messages are lost with it; the database rolls back its transactions. */
  kill(index: number): void {
    const process = this.#processes[index];
    if (process === undefined) return;
    this.#processes[index] = undefined;
    process.kill();
    this.network.senderDied(process);
    for (const rollBack of this.#transactions.get(process) ?? []) rollBack();
  }

  #waiting({ timers }: Runtime): Waiting | null {
    const { replicated } = this.#options;
    return replicated === null || replicated === 'not-waited' ? null : { on: replicated, timers };
  }

  #ports(
    process: CoordinatorProcess,
    runtime: Runtime,
  ): { ports: EnginePorts; scanner: ReturnType<typeof scannerOn> } {
    const link = new CacheLink(this.network, this.server('cache'), process);
    this.#keepStreams(process, link);
    const toDatabase: SendToDatabase = (statement, step) =>
      this.network.call(
        process,
        this.server('database'),
        { ...statement, timeoutMs: TIMING.databaseMs, ordered: false },
        step,
      );
    const toNode: SendToNode = (node, name, about, step) => {
      const server = this.server(known(LOCK_NAMES[this.lockNodes.indexOf(node)]));
      const message = { name, about, timeoutMs: TIMING.lockCommandMs };
      return this.network.call(
        process,
        server,
        { ...message, repeatable: true, ordered: true },
        step,
      );
    };
    const rollBacks: (() => void)[] = [];
    this.#transactions.set(process, rollBacks);
    const begun = (rollBack: () => void): void => {
      if (process.isGone) rollBack();
      else rollBacks.push(rollBack);
    };
    const watch: TransactionWatch = {
      begun: (transaction) => begun(() => this.database.rollBack(transaction)),
      abandoned: (transaction) =>
        void this.scheduler.after(TIMING.goneMs, () => this.database.rollBack(transaction)),
    };
    const rows = rowStoreOn(this.database, toDatabase, watch, runtime.timers);
    const lockSettings = { nodes: this.lockNodes, send: toNode, owner: process.name };
    const own: EnginePorts = {
      entries: entryStoreOn(this.cache, link.send, () => link.isUp, this.#waiting(runtime)),
      rows,
      lockNodes: lockNodesOn({ ...lockSettings, newToken: () => runtime.ids.next() }),
      outbox: outboxStoreOn(this.database.outbox, toDatabase, (holder) =>
        begun(() => this.database.outbox.release(holder)),
      ),
      guards: guardStoreOn(this.database.guards, toDatabase),
      singleFlight: new SingleFlight<ReadAnswer>(),
    };
    const { control } = this.#options;
    const backDoor = {
      cache: cacheBackDoorOn(this.cache, link.send),
      locks: lockBackDoorOn(lockSettings),
    };
    const isBroken = control !== null && isEngineControl(control);
    const ports = isBroken ? breakOne(control, own, { backDoor, runtime }) : own;
    return { ports, scanner: scannerOn(this.cache, link.send) };
  }
}

function known<T>(value: T | undefined): T {
  if (value === undefined) throw new Error('The world has no such part.');
  return value;
}
