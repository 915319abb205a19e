import type { AuditRunSummary, DriftClass, Finding, RepairRule } from '@lockstep/shared';
import type { SampleCount } from './consistency.ts';
import type { FindingFilter } from './port.ts';

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
  beginRun(run: {
    resource: string;
    trigger: AuditRunSummary['trigger'];
    repair: RepairRule;
  }): Promise<string>;
  /** Ends a run; `error` says why it failed, null where it is done. */
  endRun(id: string, counts: RunCounts, error: string | null): Promise<void>;
  /** Newest first. */
  runs(filter: { resource?: string; limit: number }): Promise<AuditRunSummary[]>;
  /** What the runs that ended within the last hour have sampled. */
  recentCounts(): Promise<(SampleCount & { resource: string })[]>;

  /** Stores a finding as `open` and returns its id; older open findings of the same key become `superseded`. */
  addFinding(finding: NewFinding): Promise<string>;
  /** Stores what became of a finding; the time of the repair is the database's. */
  settleFinding(
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
