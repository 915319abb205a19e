/** The addresses of the servers for one process of a contender, directly or through links with faults. */
export interface Servers {
  databaseUrl: string;
  /** Absent if the contender reads no replica. */
  replicaUrl?: string;
  cacheUrl: string;
  lockUrls: readonly string[];
}
