/** A finding of an audit, and what lists of findings can be filtered by. Without zod, so that the dashboard has it too. */
import type { Row } from './json.ts';
import { DRIFT_CLASSES, type DriftClass, type RepairRule } from './policy.ts';

export const FINDING_STATUSES = ['open', 'repaired', 'failed', 'superseded'] as const;
/** How a key came into a sample. */
export const SAMPLED_FROM = ['cache', 'table', 'recent', 'hot'] as const;

export interface Finding {
  id: string;
  runId: string;
  resource: string;
  key: string;
  cacheKey: string;
  class: DriftClass;
  foundAtMs: number;
  sampledFrom: (typeof SAMPLED_FROM)[number];
  database: { version: number; row: Row | null };
  /** `row` is null for a negative entry; `text` holds what could not be read. */
  cache: {
    version: number | null;
    row: Row | null;
    ageMs: number | null;
    ttlMs: number | null;
    text: string | null;
  };
  status: (typeof FINDING_STATUSES)[number];
  repair: { rule: RepairRule; atMs: number; error: string | null } | null;
}

/** One filter of the lists of findings. */
interface FindingFilterRule {
  field: keyof Finding;
  /** The values that the field can have; absent: any text of up to `maxLength` characters, 64 by default. */
  values?: readonly string[];
  maxLength?: number;
  /** What the dashboard calls the choice of no value; absent: the dashboard offers no choice. */
  all?: string;
}

/** The API, the store and the dashboard read this table; the SQL is `list-findings` in server/src/audits/sql/audits.sql. */
export const FINDING_FILTERS = {
  resource: { field: 'resource', maxLength: 63, all: 'All resources' },
  class: { field: 'class', values: DRIFT_CLASSES, all: 'All classes' },
  status: { field: 'status', values: FINDING_STATUSES, all: 'Any status' },
  run: { field: 'runId' },
} as const satisfies Record<string, FindingFilterRule>;

export type FindingFilterName = keyof typeof FINDING_FILTERS;

/** The value that each filter asks for; absent: all. */
export type FindingFilters = {
  [Name in FindingFilterName]?: Finding[(typeof FINDING_FILTERS)[Name]['field']];
};

/** The filters with their rules, as a list. */
export const findingFilters = Object.entries(FINDING_FILTERS) as [
  FindingFilterName,
  FindingFilterRule,
][];
