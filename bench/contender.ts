import type { DatabaseClient } from '@lockstep/testkit/servers';
import type { Write } from './round.ts';

/** The servers of the running instance. All contenders use them. */
export interface Servers {
  url: string;
  serviceToken: string;
  client: DatabaseClient;
  databaseUrl: string;
  cacheUrl: string;
  lockUrls: readonly string[];
  /** A coordinator with `strict.verifyIntent`, if some rows need it. */
  verifying?: Pick<Servers, 'url' | 'serviceToken'> | undefined;
}

export interface Contender {
  write: Write;
  close(): Promise<void>;
}

/**
 * The most connections of a hand-written contender to the database. On two cores 16 was the best of 10, 16, 32 and 64.
 */
export const DATABASE_CONNECTIONS = 16;
