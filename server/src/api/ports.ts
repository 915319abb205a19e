import type { KeyInspection, ReloadReport, Session, SweepReport } from '@lockstep/shared';
import type { Audits } from '../audits/index.ts';
import type { DriftMaker } from '../demo/port.ts';
import type { Key, Resource } from '../domain/index.ts';
import type { GuardService } from '../guards/index.ts';
import type { Readiness } from '../health/index.ts';
import type { LeaseService } from '../leases/index.ts';
import type { OutboxStore } from '../outbox/port.ts';
import type { ReadService } from '../reads/port.ts';
import type { Refreshes } from '../refreshes/index.ts';
import type { StaleWatch } from '../rollout/index.ts';
import type { Router } from '../routing/index.ts';
import type { Runtime } from '../runtime/index.ts';
import type { WriteService } from '../writes/port.ts';
import type { Authenticator } from './authentication.ts';

/** What the operator's API does its work with. */
export interface OpsServices {
  session(): Session;
  /** Follows the configuration as it is now. @throws LockstepError `INVALID` with every fault */
  reload(): Promise<ReloadReport>;
  isSwitching(resource: Resource): boolean;
  /** Removes every entry of the resources. @throws LockstepError `CACHE_UNAVAILABLE` */
  sweep(resources: readonly Resource[]): Promise<SweepReport>;
  audits: Pick<Audits, 'run' | 'runs' | 'findings' | 'repairFinding'>;
  refreshes: Pick<Refreshes, 'run' | 'overview'>;
  staleWatch: Pick<StaleWatch, 'report'>;
  deadLetters: Pick<OutboxStore, 'deadLetters' | 'retryDeadLetter' | 'discardDeadLetter'>;
  inspectKey(key: Key): Promise<KeyInspection>;
  /** Null where the demo does not run. */
  demo: DriftMaker | null;
}

export interface ApiLimits {
  bodyBytes: number;
  keyBytes: number;
  batchOperations: number;
  batchConcurrency: number;
  transactionOperations: number;
  /** Bytes of the results in the answer of one batch or transaction. */
  answerBytes: number;
  /** Bytes of answers that their readers have not taken yet; no answer is longer. */
  unsentBytes: number;
  /** Longest time that a lease lasts without being extended. */
  leaseTtlMs: number;
  /** Longest time for which a guard may be taken. */
  guardTtlMs: number;
  writesInFlight: number;
  readsInFlight: number;
}

/** What readers of entries must know of the cache. */
export interface CacheFacts {
  /** The cluster's name, as entries name their owner. */
  cluster: string;
  /** The id that is stored in the cache; null while it is not known. */
  cacheId(): string | null;
  hasReplicas: boolean;
}

/** Everything that the HTTP API stands on. */
export interface ApiOptions {
  resources: ReadonlyMap<string, Resource>;
  writes: WriteService;
  reads: ReadService;
  leases: LeaseService;
  guards: GuardService;
  routing: Router;
  auth: Authenticator;
  limits: ApiLimits;
  cacheFacts: CacheFacts;
  ops: OpsServices;
  health: { ready(): Readiness | Promise<Readiness> };
  /** Prometheus text. */
  metricsText: () => Promise<string>;
  /** What a reader of the metrics must show; null: they are open. */
  metricsToken: string | null;
  /** The built dashboard; null where there is none. */
  dashboardDir: string | null;
  /** Lockstep's version, for the API document. */
  version: string;
  /** True once the instance is stopping: everything is served still. */
  leaving: () => boolean;
  /** True when it refuses writes. */
  draining: () => boolean;
  runtime: Runtime;
}
