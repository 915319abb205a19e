import type { DatabaseClient } from '../dialects/index.ts';
import type { EntryFormat, Policy, RolloutStage } from '@lockstep/shared';
import type { AuditRule, RefreshRule } from '../domain/index.ts';
import type { GuardOptions } from '../guards/index.ts';
import type { LeaseOptions } from '../leases/index.ts';
import type { RoutingMode } from '../routing/index.ts';
import type { CAPTURE_MODES, Groups } from './schema.ts';

export type CaptureMode = (typeof CAPTURE_MODES)[number];

/** An SQL file that the configuration names, as it was when the configuration was read. */
export interface SqlFile {
  /** An absolute path. */
  path: string;
  text: string;
}

interface DatabaseLimits {
  pool: { min: number; max: number };
  /**
   * The longest that one statement may take. Shorter than the lock's TTL, so that a write has ended when its lock
   * expires.
   */
  statementTimeoutMs: number;
  /** The longest wait for a free connection. */
  acquireTimeoutMs: number;
  /** How changes that bypass Lockstep are noticed: by the change log, by triggers on the tables, or not at all. */
  capture: CaptureMode;
  /** The zone of times without a zone: a name such as `Europe/Berlin`, or an offset such as `+02:00`. */
  timeZone: string;
}

export type DatabaseConfig = DatabaseLimits &
  (
    | { mode: 'embedded'; client: 'pg'; initSql: SqlFile | null }
    | { mode: 'external'; client: DatabaseClient; connection: string; replicas: readonly string[] }
  );

/** A cache that Sentinels watch. */
export interface SentinelCache {
  /** URLs of the Sentinels, with their own credentials, the same in each. */
  sentinels: readonly string[];
  /** The name by which the Sentinels know the master. */
  name: string;
  /** Of the master, and of the replicas that may take its place; null: none. */
  username: string | null;
  password: string | null;
  /** The number of the database on the master. */
  database: number;
}

export type CacheConfig = {
  commandTimeoutMs: number;
  /** How many replicas must have the intent of a strict write before its transaction is sent. */
  waitReplicas: number;
} & (
  | { mode: 'embedded' }
  | { mode: 'single'; url: string }
  | { mode: 'cluster'; nodes: readonly string[] }
  | ({ mode: 'sentinel' } & SentinelCache)
);

export type LocksConfig = {
  ttlMs: number;
  /** The longest wait for a key, for the queue and the lock together, if the caller sets none. */
  waitTimeoutMs: number;
  /** Lock nodes that vote together; all of them where the field is left out. */
  groupSize: number;
  /** `locks.maxTenure`: how long one process may hand a lock from caller to caller before other coordinators get their share. */
  maxProcessLockMs: number;
  /** `locks.maxTenureTurns`: the same limit, as a number of callers. */
  maxProcessLockHolds: number;
  /** `locks.maxTurn`: the longest that one caller may hold a lock. */
  maxHoldMs: number;
} & ({ mode: 'embedded'; nodeCount: number } | { mode: 'external'; nodes: readonly string[] });

export interface AuthConfig {
  mode: 'required' | 'off';
  /** Origins of web pages that may call the API, besides the instance's own. */
  origins: readonly string[];
  tokens: {
    /** Null: generated at the first start and kept in the data folder. */
    service: string | null;
    admin: string | null;
    /** Null: the metrics are open. */
    metrics: string | null;
  };
}

/** How coordinators share the keys. */
export interface RoutingConfig {
  mode: RoutingMode;
  /** The address at which other coordinators reach this one; null: the one where it listens. */
  address: string | null;
  /**
   * Addresses of the other coordinators. A coordinator at any other address is not a member, even if the database lists
   * it, because callers' tokens are sent to members.
   */
  peers: readonly string[];
  heartbeatMs: number;
  /** A coordinator whose last heartbeat is older than this is not a member. */
  expiryMs: number;
  /** The most calls in flight to one other coordinator; further ones are served here. */
  maxForwards: number;
}

/** How the database's change log is followed (for `policy: change-log`, and for writes that bypass Lockstep). */
export interface ChangeLogConfig {
  mode: 'on' | 'off';
  /** A URL of the database without a pooler, if `database.connection` goes through one; null: `database.connection`. */
  connection: string | null;
  /**
   * PostgreSQL: the replication slot. MySQL and MariaDB: the name of the stored position. Null: derived from the
   * database.
   */
  slot: string | null;
  /** PostgreSQL: the publication. Its name need be unique only in the database. */
  publication: string;
  /** MySQL and MariaDB: the id of this reader of the binlog, which no server or replica may have. Null: derived. */
  serverId: number | null;
  /** A lag above this is shown as behind. */
  behindAfterMs: number;
}

/** A query, or a loader of a client, instead of a table, as configured. */
export interface DerivedConfig {
  source: { kind: 'query'; text: string; maxRows: number } | { kind: 'loader' };
  /** In the order of the key's parts. A type of null: that of the column that the parameter is mapped to. */
  parameters: readonly { name: string; type: 'integer' | 'bigint' | 'text' | 'uuid' | null }[];
  dependsOn: readonly DependencyConfig[];
}

export interface DependencyConfig {
  /** A resource; its table is meant. */
  resource?: string;
  table?: string;
  /** Columns by parameter. */
  key: Readonly<Record<string, string>>;
}

/** A resource as configured. `bindResources` makes it a `Resource` by the database's description of its table. */
export interface ResourceConfig {
  name: string;
  /** Empty if the resource is derived. */
  table: string;
  /** Absent: the resource is a table. */
  derived?: DerivedConfig;
  key: readonly string[];
  /** Absent: every column of the table. */
  columns?: readonly string[];
  cacheKey: string;
  ttlMs: number;
  ttlJitter: number;
  negativeTtlMs: number;
  policy: Policy;
  onWrite: 'set' | 'delete';
  invalidates: readonly string[];
  audit: AuditRule | null;
  /** `delayed-double-delete`: when the second delete follows; null: derived from measured read times. */
  secondDeleteAfterMs: number | null;
  /** `refresh`: how its cache is rewritten; null for other policies. */
  refresh: RefreshRule | null;
  level: 'redis' | 'local';
  /** Of the entries. `opaque` until `rollout` is `own`. */
  format: EntryFormat;
  rollout: RolloutStage;
}

/** The whole configuration: checked, with every default filled in, frozen. */
export interface Config {
  listen: {
    host: string;
    port: number;
    /** How long a stopping instance still accepts connections; null: depends on the other coordinators. */
    drainDelayMs: number | null;
  };
  database: DatabaseConfig;
  cache: CacheConfig;
  locks: LocksConfig;
  leases: Pick<LeaseOptions, 'max' | 'maxTtlMs' | 'maxLifeMs'>;
  guards: GuardOptions;
  strict: Groups['strict'];
  changeLog: ChangeLogConfig;
  /** How often the leader looks for calls of `lockstep_invalidate`. */
  invalidations: { pollMs: number };
  routing: RoutingConfig;
  auth: AuthConfig;
  limits: Groups['limits'];
  log: Groups['log'];
  resources: readonly ResourceConfig[];
}
