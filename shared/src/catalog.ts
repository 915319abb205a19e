import type { EntryFormat } from './entry-format.ts';
import type { Policy } from './policy.ts';

/**
 * How the text of a key's part is made from what a caller writes. Only where each value has one text that is easily
 * made is it told; `coordinator` says that the coordinator alone knows it (dates, decimals, blanks that mean nothing …).
 *   whole    a whole number: its decimal digits, with `-` before those of a negative one, and no zero in front
 *   text     the text as it is; it must be well-formed
 *   trimmed  the same without the blanks at its end
 *   uuid     in lower case
 *   boolean  `true` or `false`
 */
export type KeyTextRule = 'whole' | 'text' | 'trimmed' | 'uuid' | 'boolean' | 'coordinator';

/** How long a value of a resource may live in the cache. */
export interface EntryLife {
  ttlMs: number;
  /** From 0 to 1: a TTL is drawn from `ttlMs * (1 ± ttlJitter)`, so that entries do not expire together. */
  ttlJitter: number;
  /** In the place of `ttlMs` where the value says that there is nothing. */
  negativeTtlMs: number;
}

/**
 * A TTL for a value, in ms.
 * @param isNegative whether the value says that there is nothing
 * @param uniform a number in [0, 1)
 */
export function drawTtlMs(
  { ttlMs, negativeTtlMs, ttlJitter }: EntryLife,
  isNegative: boolean,
  uniform: number,
): number {
  const baseMs = isNegative ? negativeTtlMs : ttlMs;
  return Math.max(1, Math.round(baseMs * (1 + ttlJitter * (2 * uniform - 1))));
}

/** Where readers may keep values: in the cache, or in their own memory too. */
export type Level = 'redis' | 'local';

export interface CatalogKeyPart {
  /** The column, or the query's parameter. */
  name: string;
  /** The column's type, as in docs/types.md. */
  type: string;
  text: KeyTextRule;
}

/** What a reader needs to know of a resource to read its entries. */
export interface CatalogResource {
  name: string;
  /**
   * `rows`: of a table, one row a key. `query`: a key is the query's parameters, a value the list of its rows.
   * `computed`: a key is the parameters of a loader of the client, a value what the loader answered.
   */
  kind: 'rows' | 'query' | 'computed';
  policy: Policy;
  level: Level;
  /** Level `local`: the key of the stream in the cache that tells what of the resource is invalidated. */
  stream?: string;
  format: EntryFormat;
  key: CatalogKeyPart[];
  /** The cache key template. */
  cacheKey: string;
  /** What the header of the resource's own entries says in `o`. */
  owner: string;
  /**
   * Whether entries may be read now: not while the policy is being switched, never where nothing is cached or entries
   * have no header (`raw`, `opaque`).
   */
  isReadable: boolean;
  /** Whether an acknowledged write leaves nothing older in the cache, so that no reader need compare versions. */
  isStrict: boolean;
  /** Whether entries carry log positions where reads go to replicas. */
  isPositioned: boolean;
  /** Under which name its rows have their versions: its own, or one that it shares with other resources. */
  rows: string;
  /** Where the rows are shared: for each part of the shared key, its place in this resource's key. */
  rowOrder?: number[];
  /** Of a computed resource: how long what a client fills may live. */
  life?: EntryLife;
}

/** What `GET /v1/resources` answers. */
export interface Catalog {
  cluster: string;
  /**
   * What the key `lockstep:server` of the coordinators' cache holds: a reader whose cache says something else reads
   * another server. Null: the coordinator has not learnt it yet.
   */
  cacheId: string | null;
  /** Whether reads may go to replicas, so that log positions matter. */
  hasReplicas: boolean;
  limits: { batchOperations: number; bodyBytes: number; transactionOperations: number };
  resources: CatalogResource[];
}
