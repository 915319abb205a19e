import type {
  AuditRunSummary,
  DriftClass,
  Finding,
  FindingFilters,
  RepairRule,
} from '@lockstep/shared';
import type { EntryScanner, EntryStore } from '../cache/port.ts';
import type { RowStore } from '../database/port.ts';
import type { Key, Resource, Telemetry } from '../domain/index.ts';
import type { ReadService } from '../reads/port.ts';
import type { Runtime } from '../runtime/index.ts';
import type { RecoveryService } from '../writes/port.ts';
import type { SampleCount } from './consistency.ts';

/** The two sides that are compared. */
export interface ComparedStores {
  entries: Pick<EntryStore, 'readMany' | 'ttlMs'>;
  rows: Pick<RowStore, 'readMany'>;
}

/** What a scan reads by: an audit that stores and repairs nothing. */
export interface ScanPorts extends ComparedStores {
  scanner: Pick<EntryScanner, 'sample'>;
  rows: Pick<RowStore, 'readMany' | 'sampleKeys' | 'recentKeys'>;
  hotKeys: AuditPorts['hotKeys'];
  runtime: Pick<Runtime, 'timers'>;
}

/** What an audit reads and repairs by. */
export interface AuditPorts {
  store: AuditStore;
  entries: Pick<EntryStore, 'readMany' | 'ttlMs' | 'invalidateIfUnchanged'>;
  scanner: Pick<EntryScanner, 'sample'>;
  rows: Pick<RowStore, 'readMany' | 'sampleKeys' | 'recentKeys'>;
  reads: ReadService;
  recovery: RecoveryService;
  /** Keys of a resource that are read or fought for most, hottest first; what this process has counted. */
  hotKeys: (resource: Resource, count: number) => readonly Key[];
  telemetry: Telemetry;
  runtime: Runtime;
}

export interface FindingFilter extends FindingFilters {
  limit: number;
  /** Id to go on from (exclusive). */
  before?: string;
}

export type NewFinding = Omit<Finding, 'id' | 'foundAtMs' | 'status' | 'repair'>;

/** What a run has counted. */
export interface RunCounts {
  sampled: number;
  drift: Record<DriftClass, number>;
  repaired: number;
  failed: number;
}

/**
 * The runs of audits and their findings. All times and ages are the database's own. Every method rejects with
 * LockstepError `DATABASE_UNAVAILABLE` when the database does not answer.
 */
export interface AuditStore {
  /**
   * Begins a run and returns its id. Runs of the resource that are stored as running end as failed: the caller leads
   * the resource's audits now, so the leader that began them has died.
   */
  beginRun(run: Pick<AuditRunSummary, 'resource' | 'trigger' | 'repair'>): Promise<string>;
  /** Ends a run; `error` says why it failed, null if it is done. */
  endRun(id: string, counts: RunCounts, error: string | null): Promise<void>;
  /** Newest first. */
  runs(filter: { resource?: string; limit: number }): Promise<AuditRunSummary[]>;
  /** What the runs that ended within the last hour have sampled. */
  recentCounts(): Promise<(SampleCount & { resource: string })[]>;

  /** Stores a finding as `open` and returns its id; older open findings of the same key become `superseded`. */
  addFinding(finding: NewFinding): Promise<string>;
  /** Stores what became of a finding; the time of the repair is the database's. */
  resolveFinding(
    id: string,
    status: Finding['status'],
    repair: { rule: RepairRule; error: string | null } | null,
  ): Promise<void>;
  findFinding(id: string): Promise<Finding | null>;
  findings(filter: FindingFilter): Promise<{ findings: Finding[]; next: string | null }>;
  /** Findings that are not repaired: `open` or `failed`. */
  countOpen(): Promise<number>;
  /** Keys of open and failed findings of a resource, newest first. */
  openKeys(resource: string, limit: number): Promise<{ id: string; keyText: string }[]>;
  /** Removes the oldest findings and ended runs over the bounds. */
  prune(keep: { findings: number; runs: number }): Promise<void>;
}
