/**
 * Mixes of requests after what was published of four of Twitter's cache clusters: shares of the commands, how skewed the
 * keys are, and the mean size of a value.
 *
 * Source: J. Yang, Y. Yue, K. V. Rashmi, "A large scale analysis of hundreds of in-memory cache clusters at Twitter",
 * OSDI 2020, with the statistics of each cluster at https://github.com/twitter/cache-trace. The shares are of the commands
 * that a service with a database has too.
 */
export interface Mix {
  /** The number of the cluster there. */
  cluster: number;
  /** Shares of the requests; together 1. */
  shares: Readonly<Record<Request, number>>;
  /** The exponent of the Zipf distribution of the keys. */
  zipf: number;
  valueBytes: number;
}

export type Request = 'read' | 'write' | 'increment' | 'delete';

export const MIXES: readonly Mix[] = [
  {
    ...{ cluster: 14, zipf: 1.3, valueBytes: 414 },
    shares: { read: 0.65, write: 0.13, increment: 0, delete: 0.22 },
  },
  {
    ...{ cluster: 7, zipf: 1.07, valueBytes: 1_900 },
    shares: { read: 0.82, write: 0.18, increment: 0, delete: 0 },
  },
  {
    ...{ cluster: 29, zipf: 1.23, valueBytes: 799 },
    shares: { read: 0.87, write: 0.13, increment: 0, delete: 0 },
  },
  {
    // Writes and increments are published together: half of each here.
    ...{ cluster: 23, zipf: 0.27, valueBytes: 224 },
    shares: { read: 0.37, write: 0.305, increment: 0.305, delete: 0.02 },
  },
];

/** The request at a place in [0, 1) of the mix. */
export function requestAt({ shares }: Mix, place: number): Request {
  let upTo = 0;
  for (const request of ['read', 'write', 'increment', 'delete'] as const) {
    upTo += shares[request];
    if (place < upTo) return request;
  }
  return 'read';
}
