import type { Policy } from '@lockstep/shared';
import type { AuditRule, EntryFormat, RefreshRule } from '../domain/index.ts';
import type { LeaseOptions } from '../leases/index.ts';
import type { RoutingMode } from '../routing/index.ts';
import type { Groups } from './schema.ts';

/** A SQL file that the configuration names, as it was when the configuration was read. */
export interface SqlFile {
  /** Absolute. */
  path: string;
  text: string;
}

interface DatabaseLimits {
  pool: { min: number; max: number };
  /** Bound on one statement; shorter than the lock's TTL, so that a lost lock finds its write decided. */
  statementTimeoutMs: number;
  /** Bound on the wait for a free connection. */
  acquireTimeoutMs: number;
  /** The zone of times without a zone: a name such as `Europe/Berlin`, or an offset such as `+02:00`. */
  timeZone: string;
}

export type DatabaseConfig = DatabaseLimits &
  (
    | { mode: 'embedded'; client: 'pg'; initSql: SqlFile | null }
    | { mode: 'external'; client: 'pg' | 'mysql2'; connection: string; replicas: readonly string[] }
  );

export type CacheConfig = { commandTimeoutMs: number } & (
  | { mode: 'embedded' }
  | { mode: 'single'; url: string }
  | { mode: 'cluster'; nodes: readonly string[] }
  | { mode: 'sentinel'; sentinels: readonly string[]; name: string }
);

export type LocksConfig = {
  ttlMs: number;
  /** Default bound on the wait for a key, queue and lock together. */
  waitTimeoutMs: number;
  /** `locks.maxTenure`: how long one process may hand a lock from caller to caller before other coordinators get their share. */
  maxProcessLockMs: number;
  /** `locks.maxTenureTurns`: the same bound, in callers. */
  maxProcessLockHolds: number;
  /** `locks.maxTurn`: the longest that one caller may hold a lock. */
  maxHoldMs: number;
} & ({ mode: 'embedded'; nodeCount: number } | { mode: 'external'; nodes: readonly string[] });

export interface AuthConfig {
  mode: 'required' | 'off';
  /** Origins of pages that may call from a browser, besides the instance's own. */
  origins: readonly string[];
  /** Null: made on the first start and kept in the data folder. */
  tokens: { service: string | null; admin: string | null };
}

/** How coordinators share the keys. */
export interface RoutingConfig {
  mode: RoutingMode;
  /** Where other coordinators reach this one; null: where it listens. */
  address: string | null;
  /**
   * Addresses of the other coordinators. A coordinator at another address is not a member, even if the database lists it:
   * callers' tokens are sent to members.
   */
  peers: readonly string[];
  heartbeatMs: number;
  /** A coordinator whose last heartbeat is older than this is not a member. */
  expiryMs: number;
  /** Calls in flight to one other coordinator; further ones are served here. */
  maxForwards: number;
}

/** How the database's change log is followed (`policy: change-log`, and writes that go round Lockstep). */
export interface ChangeLogConfig {
  mode: 'on' | 'off';
  /** A URL that leads to the database itself, where `database.connection` goes through a pooler; null: the database's. */
  connection: string | null;
  /** PostgreSQL: the replication slot. Elsewhere the name under which the position is kept. Null: the database's own. */
  slot: string | null;
  /** PostgreSQL. Publications are the database's, not the server's. */
  publication: string;
  /** MySQL and MariaDB: the id of this reader of the binlog, unlike that of every server and replica. Null: the database's own. */
  serverId: number | null;
  /** A lag above this is shown as behind. */
  behindAfterMs: number;
}

/** A query in the place of a table, as configured. */
export interface DerivedConfig {
  query: string;
  /** In the order of the key's parts; null: the type of the column that it is mapped to. */
  parameters: readonly { name: string; type: 'integer' | 'bigint' | 'text' | 'uuid' | null }[];
  maxRows: number;
  dependsOn: readonly DependencyConfig[];
}

export interface DependencyConfig {
  /** A resource, whose table it is. */
  resource?: string;
  table?: string;
  /** Columns by parameter. */
  key: Readonly<Record<string, string>>;
}

/** A resource as configured; `bindResources` turns it into a `Resource` by the database's own description of its table. */
export interface ResourceConfig {
  name: string;
  /** Empty where the resource is a query. */
  table: string;
  /** Absent: a table. */
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
  /** `refresh`: how its cache is rewritten; null elsewhere. */
  refresh: RefreshRule | null;
  level: 'redis' | 'local';
  /** `raw`: plain JSON without header and leases, for readers that know nothing of Lockstep. */
  format: EntryFormat;
}

/** The whole configuration: checked, with every default filled in, frozen. */
export interface Config {
  listen: {
    host: string;
    port: number;
    /** How long a stopping instance still accepts connections; null: it depends on the other coordinators. */
    drainDelayMs: number | null;
  };
  database: DatabaseConfig;
  cache: CacheConfig;
  locks: LocksConfig;
  leases: Pick<LeaseOptions, 'max' | 'maxTtlMs' | 'maxLifeMs'>;
  strict: Groups['strict'];
  changeLog: ChangeLogConfig;
  routing: RoutingConfig;
  auth: AuthConfig;
  limits: Groups['limits'];
  log: Groups['log'];
  resources: readonly ResourceConfig[];
}
