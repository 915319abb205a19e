import type {
  AuditEvent,
  AuditReport,
  AuditRunSummary,
  DriftClass,
  Finding,
  RepairRule,
} from '@lockstep/shared';
import type { Resource } from '../domain/index.ts';

export interface FindingFilter {
  resource?: string;
  class?: DriftClass;
  status?: Finding['status'];
  runId?: string;
  limit: number;
  /** Id to go on from (exclusive). */
  before?: string;
}

export interface AuditService {
  /** Runs an audit now and waits for its end. One at a time for a resource over the whole cluster. */
  run(
    resource: Resource,
    options: { trigger: 'schedule' | 'demand'; sample?: number; repair?: RepairRule },
  ): Promise<AuditReport>;
  runs(filter: { resource?: string; limit: number }): Promise<AuditRunSummary[]>;
  findings(filter: FindingFilter): Promise<{ findings: Finding[]; next: string | null }>;
  /** @throws LockstepError `NOT_FOUND`; a finding whose key has changed meanwhile becomes `superseded` */
  repairFinding(id: string, rule: 'delete' | 'refresh'): Promise<Finding>;
  overview(): Promise<Omit<AuditEvent, 'atMs'>>;
  /** The map of resources has changed: the schedules follow it. Resolves when the runs in flight have ended. */
  resourcesChanged(): Promise<void>;
  start(): void;
  stop(): Promise<void>;
}
