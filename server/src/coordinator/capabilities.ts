/**
 * Connects the capabilities to their ports. Nothing that is imported here contains a driver, so the simulation uses the
 * same wiring on other ports.
 */
import type { EntryScanner } from '../cache/port.ts';
import { Sweeper } from '../cache/sweeper.ts';
import type { Resource, Telemetry } from '../domain/index.ts';
import { HeldGuards } from '../guards/guard-service.ts';
import type { GuardOptions, GuardService } from '../guards/index.ts';
import { HeldLeases, type LeaseOptions, type LeaseService } from '../leases/index.ts';
import type { LockOptions } from '../locks/lock-options.ts';
import { QueueingLockService } from '../locks/lock-service.ts';
import { OutboxRelay } from '../outbox/relay.ts';
import { OutboxCleanup } from '../outbox/cleanup.ts';
import { OutboxForWriters } from '../outbox/writer-outbox.ts';
import { AbandonedIntents, CachedReadService, type ReadService } from '../reads/index.ts';
import type { Runtime } from '../runtime/index.ts';
import {
  DerivedDelay,
  NO_REPLICAS,
  PolicyWriteService,
  Recovery,
  type WriteService,
} from '../writes/index.ts';
import type { EnginePorts } from './engine-ports.ts';

export interface CapabilitiesOptions {
  /** This process's name among the coordinators. */
  instance: string;
  ports: EnginePorts;
  scanner: Pick<EntryScanner, 'scan'>;
  resources: ReadonlyMap<string, Resource>;
  locks: Partial<LockOptions> & { ttlMs: number };
  leases?: Partial<LeaseOptions>;
  guards?: Partial<GuardOptions>;
  /** Whether a resource's entries may be served now; absent: always. */
  isCacheable?: (resource: Resource) => boolean;
  /** Whether this coordinator has followed each switch of the resource; absent: always. */
  isCurrent?: (resource: Resource) => boolean;
  /** `strict.verifyIntent` of the configuration. */
  verifyIntent?: boolean;
  telemetry: Telemetry;
  runtime: Runtime;
}

/** The part of the engine that keeps database and cache in step. */
export interface Capabilities {
  locks: QueueingLockService;
  leases: LeaseService;
  guards: GuardService;
  relay: OutboxRelay;
  cleanup: OutboxCleanup;
  recovery: Recovery;
  reads: ReadService;
  writes: WriteService;
  sweeper: Sweeper;
}

/** Connects the capabilities to their ports. Nothing runs on its own until the relay and the sweeper are started. */
export function composeCapabilities(options: CapabilitiesOptions): Capabilities {
  const { ports, scanner, resources, verifyIntent = false, telemetry, runtime } = options;
  const { entries, rows, lockNodes, outbox, singleFlight, replicas } = ports;
  const { ttlMs: lockTtlMs } = options.locks;

  const locks = new QueueingLockService({
    nodes: lockNodes,
    runtime,
    telemetry,
    options: options.locks,
  });
  const known = {
    resources,
    ...(options.isCurrent === undefined ? {} : { isCurrent: options.isCurrent }),
  };
  const relay = new OutboxRelay({ ...known, store: outbox, entries, telemetry, runtime });
  const cleanup = new OutboxCleanup(outbox, runtime);
  const recovery = new Recovery({
    cache: entries,
    rows,
    locks,
    telemetry,
    runtime,
  });
  const abandoned = new AbandonedIntents({
    cache: entries,
    recovery,
    lockTtlMs,
    log: runtime.log,
  });
  const secondDeleteDelay = new DerivedDelay(replicas ?? NO_REPLICAS);
  const reads = new CachedReadService({
    cache: entries,
    rows,
    ...(replicas === undefined ? {} : { replicas }),
    abandoned,
    singleFlight,
    verifyIntent,
    ...(options.isCacheable === undefined ? {} : { isCacheable: options.isCacheable }),
    telemetry: {
      emit: (event) => {
        secondDeleteDelay.note(event);
        telemetry.emit(event);
      },
    },
    runtime,
  });
  const leases = new HeldLeases({
    ...{ instance: options.instance, locks, rows, cache: entries, recovery, runtime },
    options: options.leases ?? {},
  });
  const guards = new HeldGuards({
    ...{ instance: options.instance, locks, rows, cache: entries, store: ports.guards, recovery },
    ...{ resources, telemetry, runtime, options: options.guards ?? {} },
  });
  const writes = new PolicyWriteService({
    cache: entries,
    rows,
    locks,
    outbox: new OutboxForWriters({ ...known, store: outbox, relay, cleanup, entries }),
    recovery,
    leases,
    secondDeleteDelay,
    resources,
    ...(replicas === undefined ? {} : { log: replicas }),
    verifyIntent,
    telemetry,
    runtime,
  });
  const sweeper = new Sweeper({ entries, scanner, recovery, resources, lockTtlMs, runtime });
  return { locks, leases, guards, relay, cleanup, recovery, reads, writes, sweeper };
}
