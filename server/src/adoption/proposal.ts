/** What `lockstep init` proposes for a database and a cache that are there already. */
import type { EntryFormat } from '@lockstep/shared';
import type { KeySample } from './redis-sample.ts';

export interface ProposedResource {
  name: string;
  /** As `resources.NAME.table` names it. */
  table: string;
  key: string[];
  /** Null: all columns of the table. */
  columns: string[] | null;
  /** Why `columns` are not all of them, one line each. */
  columnNotes: string[];
  cacheKey: string;
  cacheKeyNote: string;
  format: EntryFormat;
  /** Null: the default. */
  ttlMs: number | null;
  invalidates: string[];
  /** What there is to know beside the reason for the default; null: nothing. */
  policyNote: string | null;
}

/** A table that cannot be a resource, and why. */
export interface LeftOut {
  table: string;
  why: string;
}

export interface Proposal {
  resources: ProposedResource[];
  leftOut: LeftOut[];
  /** Null: no cache was named. */
  sample: KeySample | null;
  /** What the checks say beyond single resources, one line each. With these `start` refuses. */
  faults: string[];
  warnings: string[];
}
