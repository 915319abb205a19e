/** Measurements of the strategies on real servers, in the file that `npm run bench:staleness -- --save` writes. */

/** One strategy under one load. */
export interface Measured {
  /** The name in the benchmark. */
  contender: string;
  /** The strategy's name in the lab; null if the lab has no such strategy. */
  strategy: string | null;
  /** Whether faults were injected: late, cut and stalled links, processes paused and killed. */
  faults: boolean;
  /** The number of answered requests. */
  requests: number;
  reads: number;
  writeMs: { p50: number; p99: number };
  /** Reads that the database answered. */
  databaseReads: number;
  staleReads: number;
  /** For how long a newer write had been acknowledged when a stale read was sent; null if no read was stale. */
  staleAgeMs: { p50: number; p99: number; max: number } | null;
  /** Cached values that differed from their row long after the load and the faults. */
  staleForGood: number;
  /** Acknowledged writes that are not in the database. */
  lostUpdates: number;
}

/** One run of the benchmark. */
export interface Measurements {
  /** ISO 8601, UTC. */
  date: string;
  command: string;
  /** A note by the person who ran it. */
  note: string;
  machine: { cpu: string; cores: number; memoryGb: number; os: string; node: string };
  /** The versions of PostgreSQL and Redis. */
  servers: { database: string; cache: string };
  /** The least number of requests of each row. */
  requests: number;
  seed: number;
  /** What the run had to show and did not; empty if nothing. */
  failures: string[];
  rows: Measured[];
}

/** The measurements of one strategy; null: not measured. */
export interface MeasuredOf {
  withoutFaults: Measured | null;
  withFaults: Measured | null;
}

export function measuredOf({ rows }: Measurements, strategy: string): MeasuredOf {
  const row = (faults: boolean): Measured | null =>
    rows.find((it) => it.strategy === strategy && it.faults === faults) ?? null;
  return { withoutFaults: row(false), withFaults: row(true) };
}

/** Stale reads in a million. */
export const stalePerMillion = ({ staleReads, reads }: Measured): number =>
  reads === 0 ? 0 : (staleReads * 1_000_000) / reads;

/** The share of reads that the database answered, from 0 to 1. */
export const databaseShare = ({ databaseReads, reads }: Measured): number =>
  reads === 0 ? 0 : databaseReads / reads;
