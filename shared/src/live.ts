/**
 * The live stream: socket.io at `/live`, namespace `/ops`, `auth: {token}` (the admin token, or an API key with a role).
 * One event of each name at most once a second, for the whole cluster; a new socket gets each at once.
 * Times are milliseconds since the epoch on the emitting coordinator's clock (`atMs`); a countdown is
 * computed from `leftMs` at `atMs`, never from the browser's own idea of the time.
 */
import type { AuditRunSummary, RefreshStatus } from './ops.ts';
import type { Policy } from './policy.ts';

/** One second of the whole cluster. Rates are per second, latencies in milliseconds. */
export interface MetricsPoint {
  atMs: number;
  writesPerSecond: number;
  readsPerSecond: number;
  errorsPerSecond: number;
  /** 0 to 1; null where nothing was read in that second. */
  hitRate: number | null;
  writeP50Ms: number | null;
  writeP99Ms: number | null;
  readP50Ms: number | null;
  readP99Ms: number | null;
  lockWaitP99Ms: number | null;
  locksHeld: number;
  locksWaiting: number;
  outboxDepth: number;
  /** Worst resource's share of samples without drift over 5 minutes; null where nothing was sampled. */
  consistency: number | null;
}

export interface MetricsEvent {
  atMs: number;
  now: MetricsPoint;
  /** Points since the last event; on connection, the whole last hour (at most 720, 5 s apart), oldest first. */
  series: MetricsPoint[];
  /** Totals since start. */
  totals: {
    writes: { policy: Policy; outcome: string; count: number }[];
    fencedWrites: number;
    intentsRecovered: number;
    fillsRefused: number;
    locksLost: number;
  };
}

export interface HeldLockView {
  resource: string;
  key: string;
  /** Coordinator that holds it. */
  instance: string;
  fence: number | null;
  /** What it is held for. */
  purpose: 'write' | 'recovery' | 'repair' | 'lease' | 'guard';
  heldMs: number;
  /** Time until it expires unless extended. */
  leftMs: number;
  ttlMs: number;
  waiting: number;
  /** Of a caller's lease: when that ends unless it is extended. The lock under it is kept until then. */
  lease?: { leftMs: number; ttlMs: number };
}

export interface LocksEvent {
  atMs: number;
  /** Longest held first, at most 200. */
  held: HeldLockView[];
  heldTotal: number;
  /** Of them: held by callers' leases. Absent where the instance is of an earlier release. */
  leasedTotal?: number;
  /** Keys with the most waiters, at most 50. */
  waiting: {
    resource: string;
    key: string;
    instance: string;
    waiting: number;
    longestWaitMs: number;
  }[];
  waitingTotal: number;
}

export interface ContentionEvent {
  atMs: number;
  /**
   * Most contended keys of the last minutes by Space-Saving counters (Metwally et al., 2005): `count` is at most
   * `error` too high. At most 50.
   */
  keys: {
    resource: string;
    key: string;
    count: number;
    error: number;
    waitP99Ms: number;
    holdP99Ms: number;
  }[];
  /** Totals since start. */
  totals: {
    acquired: number;
    contended: number;
    timedOut: number;
    lost: number;
    queueFull: number;
  };
}

export interface TtlEvent {
  atMs: number;
  resources: {
    resource: string;
    /** Configured TTL of a value. */
    ttlMs: number;
    /** Upper bounds in ms of the buckets; the last bucket has no bound (null). */
    buckets: { upToMs: number | null; count: number }[];
    /** Entries met by the last complete sweep, by state. */
    entries: { value: number; lease: number; intent: number; tombstone: number };
    /** Entries that have no expiry and are not intents. */
    withoutTtl: number;
    /** Some cache keys among them, at most 20. */
    withoutTtlKeys: string[];
  }[];
  /** Keys met by the last complete sweep, and when it ended; null before the first. */
  sweep: { keys: number; endedAtMs: number; tookMs: number } | null;
}

/** Share of samples without drift, with the bound that the sample size allows. */
export interface ConsistencyWindow {
  windowMs: number;
  samples: number;
  drift: number;
  /** `1 - drift/samples`; null where nothing was sampled. */
  share: number | null;
  /** With 95% confidence, drift is at most this share (0 in n samples: 3/n; else Wilson's upper bound). Null where nothing was sampled. */
  driftAtMost: number | null;
}

export interface AuditEvent {
  atMs: number;
  /** By resource, windows of 1, 5 and 60 minutes. */
  consistency: { resource: string; windows: ConsistencyWindow[] }[];
  /** The most recent runs, newest first, at most 20. */
  runs: AuditRunSummary[];
  /** Next scheduled run of each audited resource. */
  next: { resource: string; atMs: number | null }[];
  /** Findings not repaired, over all. */
  openFindings: number;
}

export interface OutboxEvent {
  atMs: number;
  depth: number;
  oldestMs: number | null;
  deadLetters: number;
  relayedTotal: number;
  /** Null while the relay works; else why it does not. */
  blocked: string | null;
  /** Null where the change log is not followed by configuration; absent where the instance knows of none. */
  changeLog?: ChangeLogStatus | null;
  /** Every resource of policy `refresh`; absent where the instance knows of none. */
  refreshes?: RefreshStatus[];
  /** Resources whose definition is being switched, as this instance knows; absent where it is of an earlier release. */
  switches?: SwitchStatus[];
}

/** A resource of which not every coordinator keeps one and the same definition yet. */
export interface SwitchStatus {
  resource: string;
  /**
   * `settling`: nothing is served from its cache until what was there before is gone. `not-followed`: another
   * coordinator has switched it, and this instance's configuration is still the old one: writes of it are refused here.
   */
  state: 'settling' | 'not-followed';
  /** What became another, such as `policy` from `none` to `strict`. None where the resource is new. */
  changes: { field: string; from: string; to: string }[];
}

export interface ChangeLogStatus {
  /** `waiting`: another instance follows it. */
  state: 'waiting' | 'streaming' | 'sweeping' | 'behind' | 'away';
  /** From a commit until its invalidations are done; null where it is not known. */
  lagMs: number | null;
  /** One line that says what is wrong; null where all is well. */
  detail: string | null;
  /** How much of its log PostgreSQL keeps for Lockstep; null where that is not known, and on MySQL and MariaDB. */
  retainedBytes: number | null;
  /** One line where the database keeps too much of its log; null otherwise. */
  retainedWarning: string | null;
  /** Rows that writes round Lockstep have changed, by table, most first; at most 100. Counted since it was switched on. */
  bypassed: { table: string; changes: number; agoMs: number }[];
  bypassedTotal: number;
}

export interface NodeStatus {
  name: string;
  kind: 'database' | 'replica' | 'cache' | 'lock' | 'coordinator';
  status: 'up' | 'slow' | 'down';
  /** Round trip of the last probe; null where it failed. */
  rttMs: number | null;
  sinceMs: number;
  /** One line that says what is wrong and what it means; null where all is well. */
  detail: string | null;
  /** Of lock nodes, where they are in groups: the number of the group, from 1. Each group votes by itself. */
  group?: number;
}

export interface NodesEvent {
  atMs: number;
  nodes: NodeStatus[];
}

/** Name of a live event to its payload. */
export interface LiveEvents {
  metrics: MetricsEvent;
  locks: LocksEvent;
  contention: ContentionEvent;
  ttl: TtlEvent;
  audit: AuditEvent;
  outbox: OutboxEvent;
  nodes: NodesEvent;
}
export const LIVE_EVENTS = [
  'metrics',
  'locks',
  'contention',
  'ttl',
  'audit',
  'outbox',
  'nodes',
] as const;
