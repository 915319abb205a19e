/**
 * The operator's API under `/v1/ops` (admin token): what the dashboard and the command line call.
 *
 *   GET  /v1/ops/session                              -> Session
 *   GET  /v1/ops/resources                            -> { resources: ResourceSummary[] }
 *   POST /v1/ops/audits                AuditRequest   -> AuditReport (when the run has ended)
 *   GET  /v1/ops/audits?resource=&limit=              -> { runs: AuditRunSummary[] } newest first
 *   GET  /v1/ops/findings?resource=&class=&status=&run=&limit=&before=   -> { findings: Finding[], next: string | null } newest first
 *   POST /v1/ops/findings/{id}/repair  { rule }       -> Finding
 *   GET  /v1/ops/keys/{resource}/{key}                -> KeyInspection
 *   GET  /v1/ops/outbox/dead?limit=                   -> { deadLetters: DeadLetter[] }
 *   POST /v1/ops/outbox/dead/{id}      { action: 'retry' | 'discard' }   -> { id, action }
 *   GET  /v1/ops/refreshes                            -> { refreshes: RefreshStatus[] }
 *   POST /v1/ops/refreshes             RefreshRequest -> RefreshReport (when the run has ended)
 *   POST /v1/ops/sweeps                SweepRequest   -> SweepReport (when the pass has ended)
 *   POST /v1/ops/reload                               -> ReloadReport (422 with every fault where it changed nothing)
 *   POST /v1/ops/demo/drift            DriftRequest   -> DriftReport (only where the demo runs)
 */
import type { AuditRunSummary } from './live.ts';
import type { JsonValue, Row } from './json.ts';
import type { DriftClass, Policy, RepairRule } from './policy.ts';

export interface Session {
  instance: string;
  version: string;
  demo: boolean;
  startedAtMs: number;
}

export interface ResourceSummary {
  resource: string;
  /** Empty where the resource is a query. */
  table: string;
  /** The query that stands in the place of a table. */
  query?: string;
  /** The tables that the query depends on. */
  dependsOn?: string[];
  key: string[];
  policy: Policy;
  /** Absent: `entry`. */
  format?: 'entry' | 'raw';
  /** Its policy is being switched: nothing is served from its cache now. */
  isSwitching?: boolean;
  cacheKey: string;
  ttlMs: number;
  audit: { every: string; sample: number; graceMs: number; repair: RepairRule } | null;
}

export interface AuditRequest {
  resource: string;
  sample?: number;
  /** Repair by the resource's rule (or `refresh` where that is `report`); false only reports. */
  repair?: boolean;
}

/** `lockstep audit --json` prints this. */
export interface AuditReport {
  resource: string;
  sampled: number;
  drift: Record<DriftClass, number>;
  repaired: number;
  failed: number;
  runId: string;
}

export interface RefreshRequest {
  /** One of policy `refresh`. */
  resource: string;
}

export interface RefreshReport {
  resource: string;
  rows: number;
  /** Entries of rows that went. */
  removed: number;
  tookMs: number;
}

export interface SweepRequest {
  /** Absent: every resource. */
  resource?: string;
}

/** `lockstep sweep --json` prints this. */
export interface SweepReport {
  resources: string[];
  /** Cache keys that are gone, or hold a mark that sends readers to the database. */
  removed: number;
  /** Write intents, which are left to recovery. */
  intents: number;
}

/** What a reload of the configuration has changed. */
export interface ReloadReport {
  added: string[];
  removed: string[];
  changed: string[];
  /** Whose policy, format or keys became others: nothing of them is served from the cache until they have settled. */
  switched: string[];
  /**
   * Every resource has settled: from here on the new policy is kept for readers of every coordinator, also of one that
   * has not followed yet. False: it goes on, and `isSwitching` in `ResourceSummary` tells when it has ended.
   */
  settled: boolean;
}

export interface Finding {
  id: string;
  runId: string;
  resource: string;
  key: string;
  cacheKey: string;
  class: DriftClass;
  foundAtMs: number;
  /** How the key came into the sample. */
  sampledFrom: 'cache' | 'table' | 'recent' | 'hot';
  database: { version: number; row: Row | null };
  /** `row` is null for a negative entry; `text` holds what could not be read. */
  cache: {
    version: number | null;
    row: Row | null;
    ageMs: number | null;
    ttlMs: number | null;
    text: string | null;
  };
  status: 'open' | 'repaired' | 'failed' | 'superseded';
  repair: { rule: RepairRule; atMs: number; error: string | null } | null;
}

export interface KeyEvent {
  atMs: number;
  instance: string;
  /** Short name, such as `write`, `read`, `lock lost`, `intent recovered`, `audit drift`, `invalidated`. */
  type: string;
  detail: string;
}

export interface KeyInspection {
  resource: string;
  key: string;
  cacheKey: string;
  policy: Policy;
  /** Null where the database does not answer. */
  database: { version: number; fence: number; row: Row | null } | null;
  /** Null where the cache does not answer. */
  cache:
    | { state: 'absent' }
    | {
        state: 'value' | 'lease' | 'intent' | 'tombstone' | 'corrupt';
        version: number | null;
        fence: number | null;
        ageMs: number | null;
        /** Null: no expiry. */
        ttlMs: number | null;
        value: JsonValue;
        bytes: number;
      }
    | null;
  /** Null where no coordinator holds the key. */
  lock: {
    instance: string;
    heldMs: number;
    leftMs: number;
    waiting: number;
    purpose: string;
    /** Of a caller's lease: time until it ends unless it is extended. */
    leaseLeftMs?: number;
  } | null;
  /** The coordinator that is home for the key; null where the database does not tell who is a member. */
  home: { instance: string; url: string; isSelf: boolean } | null;
  agrees: boolean | null;
  events: KeyEvent[];
}

export interface DeadLetter {
  id: string;
  resource: string;
  key: string;
  version: number;
  attempts: number;
  createdAtMs: number;
  error: string;
}

export const DRIFT_KINDS = [
  'database',
  'cache',
  'orphan',
  'negative',
  'corrupt',
  'no-ttl',
] as const;
export interface DriftRequest {
  resource: string;
  /** 1 to 100. */
  count: number;
  /** How to make it; all kinds in turn where absent. `database`: change the row behind Lockstep's back. `cache`: change the entry. */
  kind?: (typeof DRIFT_KINDS)[number];
}
export interface DriftReport {
  made: { key: string; kind: (typeof DRIFT_KINDS)[number] }[];
}

export type { AuditRunSummary };
