/**
 * The operator's API under `/v1/ops` (admin token, or an API key with a role): what the dashboard and the command line call. The server checks its
 * calls against these schemas and makes the API document of them. Others import only the types.
 */
import { z } from 'zod';
import { ENTRY_FORMATS, ROLLOUT_STAGES } from './entry-format.ts';
import { findingFilters, type FindingFilters } from './findings.ts';
import type { JsonValue, Row } from './json.ts';
import { DRIFT_CLASSES, DRIFT_KINDS, POLICIES, type Policy, REPAIR_RULES } from './policy.ts';

/** An object of these fields and no others, with the name that the API document gives it. */
export const shape = <Shape extends z.ZodRawShape>(
  id: string,
  fields: Shape,
): z.ZodObject<Shape, z.core.$strict> => z.strictObject(fields).meta({ id });

const MAX_LIST = 500;
const limit = z.coerce.number().int().min(1).max(MAX_LIST).default(50);
const id = z.string().min(1).max(64);
const resource = z.string().min(1).max(63);
const drift = z.record(z.enum(DRIFT_CLASSES), z.int());
const repairRule = z.enum(REPAIR_RULES);

export const session = shape('Session', {
  instance: z.string(),
  version: z.string(),
  demo: z.boolean(),
  startedAtMs: z.number(),
});
export type Session = z.output<typeof session>;

const resourceSummary = z.strictObject({
  resource: z.string(),
  table: z.string().meta({ description: 'Empty where the resource is derived.' }),
  /** The query that stands in the place of a table. */
  query: z.string().optional(),
  /** The tables that a query or computed resource depends on. */
  dependsOn: z.array(z.string()).optional(),
  key: z.array(z.string()),
  policy: z.enum(POLICIES),
  /** Absent: `entry`. */
  format: z.enum(ENTRY_FORMATS).optional(),
  /** How far Lockstep has taken its entries over from a service. Absent: `own`. */
  rollout: z.enum(ROLLOUT_STAGES).optional(),
  /** Its policy is being switched: nothing is served from its cache now. */
  isSwitching: z.boolean().optional(),
  cacheKey: z.string(),
  ttlMs: z.number(),
  audit: z
    .strictObject({ every: z.string(), sample: z.int(), graceMs: z.number(), repair: repairRule })
    .nullable(),
});
export type ResourceSummary = z.output<typeof resourceSummary>;
export const resources = shape('Resources', { resources: z.array(resourceSummary) });

export const auditBody = z.strictObject({
  resource,
  sample: z.int().min(1).max(10_000).optional(),
  /** Repair by the resource's rule (or `refresh` where that is `report`); false only reports. */
  repair: z.boolean().optional(),
});
export type AuditRequest = z.input<typeof auditBody>;

/** `lockstep audit --json` prints this, without `runId`. */
export const auditReport = shape('AuditReport', {
  resource: z.string(),
  sampled: z.int(),
  drift,
  repaired: z.int(),
  failed: z.int(),
  runId: z.string(),
});
export type AuditReport = z.output<typeof auditReport>;

export const runsQuery = z.strictObject({ resource: resource.optional(), limit });
const auditRunSummary = z.strictObject({
  id: z.string(),
  resource: z.string(),
  trigger: z.enum(['schedule', 'demand']),
  status: z.enum(['running', 'done', 'failed']),
  startedAtMs: z.number(),
  endedAtMs: z.number().nullable(),
  sampled: z.int(),
  drift,
  repaired: z.int(),
  failed: z.int(),
  repair: repairRule,
  error: z.string().nullable(),
});
export type AuditRunSummary = z.output<typeof auditRunSummary>;
export const auditRuns = shape('AuditRuns', { runs: z.array(auditRunSummary) });

/** The resource is one of policy `refresh`. */
export const refreshBody = z.strictObject({ resource });
export type RefreshRequest = z.input<typeof refreshBody>;
export const refreshReport = shape('RefreshReport', {
  resource: z.string(),
  rows: z.int(),
  /** Entries of rows that went. */
  removed: z.int(),
  tookMs: z.number(),
});
export type RefreshReport = z.output<typeof refreshReport>;

/** How the cache of a refreshed table stands. Times are the database's. */
const refreshStatus = z.strictObject({
  resource: z.string(),
  /** Of the last run. `waiting`: none has begun yet. `reading` and `swapping` also where its coordinator died. */
  phase: z.enum(['waiting', 'reading', 'swapping', 'done', 'failed']),
  /** Rows that it has read, and entries that it removed. */
  rows: z.int(),
  removed: z.int(),
  startedAtMs: z.number().nullable(),
  /** Null while it runs. */
  endedAtMs: z.number().nullable(),
  error: z.string().nullable(),
  /** What readers see: the last swap. */
  lastGood: z.strictObject({ rows: z.int(), atMs: z.number(), tookMs: z.number() }).nullable(),
  nextAtMs: z.number().nullable(),
});
export type RefreshStatus = z.output<typeof refreshStatus>;
export const refreshStates = shape('Refreshes', { refreshes: z.array(refreshStatus) });

/** What a resource in `rollout: shadow` would have been spared, as one coordinator has seen it since its start. */
const rolloutReport = z.strictObject({
  resource: z.string(),
  /** How many invalidations would have been done. */
  invalidations: z.int(),
  /** Of these, how many were not looked at, because too many were waiting. */
  notLookedAt: z.int(),
  found: z
    .strictObject({
      absent: z.int(),
      removed: z.int(),
      replaced: z.int(),
      current: z.int(),
      unchanged: z.int(),
      stale: z.int(),
    })
    .meta({
      description:
        'What was at the cache keys two seconds later. absent: nothing, then as before. removed, replaced: by the service itself. current: says the same as the row. stale: says something else. unchanged: is as it was, and cannot be compared with the row.',
    }),
  staleNow: z.int().meta({ description: 'Entries that are still stale or unchanged.' }),
  staleReads: z.int().nullable().meta({
    description:
      'How often, at least, such an entry was read: at most once a second is counted for each. Null: the cache does not tell (it evicts by frequency, or is older than Redis 7.2).',
  }),
});
export type RolloutReport = z.output<typeof rolloutReport>;
export const rolloutReports = shape('RolloutReports', { shadow: z.array(rolloutReport) });

/** Without a resource: every one. */
export const sweepBody = z.strictObject({ resource: resource.optional() });
export type SweepRequest = z.input<typeof sweepBody>;
/** `lockstep sweep --json` prints this. */
export const sweepReport = shape('SweepReport', {
  resources: z.array(z.string()),
  /** Cache keys that are gone, or hold a mark that sends readers to the database. */
  removed: z.int(),
  /** Write intents, which are left to recovery. */
  intents: z.int(),
});
export type SweepReport = z.output<typeof sweepReport>;

/** What a reload of the configuration has changed. */
export const reloadReport = shape('ReloadReport', {
  added: z.array(z.string()),
  removed: z.array(z.string()),
  changed: z.array(z.string()),
  /** Resources with another policy, format or keys: nothing of them is served from the cache until the switch is complete. */
  switched: z.array(z.string()),
  /**
   * Every switch is complete: readers of every coordinator now have the new policy, also of one that has not
   * followed yet. False: it goes on, and `isSwitching` in `ResourceSummary` shows when it has ended.
   */
  settled: z.boolean(),
});
export type ReloadReport = z.output<typeof reloadReport>;

type FilterSchemas = {
  [Name in keyof FindingFilters]-?: z.ZodOptional<z.ZodType<NonNullable<FindingFilters[Name]>>>;
};
function filterSchemas(): FilterSchemas {
  const schemas = findingFilters.map(([name, { values, maxLength = 64 }]) => {
    const value = values === undefined ? z.string().min(1).max(maxLength) : z.enum(values);
    return [name, value.optional()] as const;
  });
  // What each accepts is what the type says: both come from FINDING_FILTERS.
  return Object.fromEntries(schemas) as unknown as FilterSchemas;
}
export const findingsQuery = z.strictObject({
  ...filterSchemas(),
  limit,
  before: id.optional(),
});
export const repairBody = z.strictObject({ rule: z.enum(['delete', 'refresh']) });
export const finding = z.looseObject({ id: z.string() }).meta({
  id: 'Finding',
  description: '`Finding` in shared/src/findings.ts.',
});
export const findings = shape('Findings', {
  findings: z.array(finding),
  next: z.string().nullable(),
});

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
    /** Only the service understands it: see `ENTRY_FORMATS`. Null: no expiry. */
    | { state: 'opaque'; ttlMs: number | null }
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
export const keyInspection = z.looseObject({ resource: z.string(), key: z.string() }).meta({
  id: 'KeyInspection',
  description: '`KeyInspection` in shared/src/ops.ts.',
});

export const deadLettersQuery = z.strictObject({ limit });
const deadLetter = z.strictObject({
  id: z.string(),
  resource: z.string(),
  key: z.string(),
  version: z.int(),
  attempts: z.int(),
  createdAtMs: z.number(),
  error: z.string(),
});
export type DeadLetter = z.output<typeof deadLetter>;
export const deadLetters = shape('DeadLetters', { deadLetters: z.array(deadLetter) });
export const deadLetterBody = z.strictObject({ action: z.enum(['retry', 'discard']) });
export const deadLetterClosed = deadLetterBody.extend({ id: z.string() }).meta({
  id: 'DeadLetterClosed',
});

export const driftBody = z.strictObject({
  resource,
  count: z.int().min(1).max(100),
  /** All kinds one after another if absent. `database`: change the row without Lockstep. `cache`: change the entry. */
  kind: z.enum(DRIFT_KINDS).optional(),
});
export type DriftRequest = z.input<typeof driftBody>;
export const driftReport = shape('DriftReport', {
  made: z.array(z.strictObject({ key: z.string(), kind: z.enum(DRIFT_KINDS) })),
});
export type DriftReport = z.output<typeof driftReport>;
