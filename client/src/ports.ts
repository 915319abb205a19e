/** What the client decides with, as it sees it. The simulation has its own. */
import type { LocalLevel } from './local-level.ts';
import type { Transport } from './transport.ts';

/** Requests to a coordinator. */
export type CoordinatorPort = Pick<Transport, 'request'>;

/** The coordinators' cache, where this process reads it directly. */
export interface CachePort {
  /** Whether it is the coordinators' cache for certain, and answers. */
  connection: { readonly isUp: boolean };
  reads: EntryReads;
  leases: ReadLeases;
}

/** The text of an entry, null where there is none; undefined where it was not read. */
export type EntryText = string | null | undefined;

/** Who waits for the texts of entries. */
export interface EntryReader {
  readonly cacheKeys: readonly string[];
  /** Of a reader of one entry: whether it must know how much longer the entry lives. */
  readonly needsLife?: boolean;
  /**
   * @param texts has the texts of its entries, in order, from the index `from` on
   * @param leftMs where it was asked for: how much longer the entry lives; -1: for ever
   */
  entriesRead(texts: readonly EntryText[], from: number, leftMs?: number): void;
}

/** Reads of entries. */
export interface EntryReads {
  /** The most entries that one reader may wait for. */
  readonly maxKeys: number;
  add(reader: EntryReader): void;
}

/** Values in this process's memory. */
export type LocalValues = Pick<LocalLevel, 'find' | 'begin' | 'end' | 'keep' | 'forget'>;

/** Where an entry stands, and what its header says of whose it is. */
export interface EntryPlace {
  cacheKey: string;
  owner: string;
}

/** What a loader has made. */
export interface Fill {
  /** JSON. */
  body: string;
  ttlMs: number;
  /** For how long after its TTL the value stays for loaders that fail. */
  graceMs: number;
}

/** The read leases of computed resources. Null: the cache does not answer, and the step may have happened all the same. */
export interface ReadLeases {
  /** Leaves a lease where there is no value. Answers whether it stands there now. */
  take(place: EntryPlace, leaseId: string, ttlMs: number): Promise<boolean | null>;
  /** The same over a value with at most `dueMs` to its end, or past it. */
  takeOver(
    place: EntryPlace,
    leaseId: string,
    ttlMs: number,
    dueMs: number,
  ): Promise<boolean | null>;
  /** Replaces exactly this lease by a value. */
  fill(place: EntryPlace, leaseId: string, fill: Fill): Promise<'filled' | 'refused' | 'failed'>;
  /** The loader failed: others need not wait for it. Never rejects. */
  drop(place: EntryPlace, leaseId: string): Promise<void>;
}
