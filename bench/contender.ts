import type { Write } from './round.ts';

/** The servers that every contender works on: those of the one running instance. */
export interface Servers {
  url: string;
  serviceToken: string;
  databaseUrl: string;
  cacheUrl: string;
  lockUrls: readonly string[];
  /** A coordinator with `strict.verifyIntent`, where rows ask for it. */
  verifying?: Pick<Servers, 'url' | 'serviceToken'> | undefined;
}

export interface Contender {
  write: Write;
  close(): Promise<void>;
}

/** Most connections that the hand-written contenders open to the database: best of 10, 16, 32 and 64 on two cores. */
export const DATABASE_CONNECTIONS = 16;
