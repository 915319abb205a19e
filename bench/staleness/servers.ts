/** Where one process of a contender finds its servers: directly, or through links on which faults are put. */
export interface Servers {
  databaseUrl: string;
  /** Absent where the contender reads no replica. */
  replicaUrl?: string;
  cacheUrl: string;
  lockUrls: readonly string[];
}
