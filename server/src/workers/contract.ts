/** What the parent process and a worker ask each other. */
import type { KeyEvent, KeyInspection } from '@lockstep/shared';
import type { Config, Tokens } from '../config/index.ts';
import type { Readiness } from '../health/index.ts';
import type { MetricFamilies } from '../metrics/index.ts';

/** Where the database, the cache and the lock nodes are. */
export interface ServerAddresses {
  databaseUrl: string;
  cacheUrl: string;
  lockUrls: readonly string[];
}

/** All that a worker needs to know. */
export interface WorkerOrder {
  /** From 0. A worker that replaces one that died has the same one. */
  slot: number;
  config: Config;
  /** How to read the configuration again. */
  source: { file: string | undefined; isDemo: boolean; port: number; cwd: string };
  tokens: Tokens;
  servers: ServerAddresses;
  dataDir: string;
  version: string;
  dashboardDir: string | null;
  logFile: string | null;
  /** Where callers reach the coordinator. */
  url: string;
}

/** What a worker knows about one key. */
export interface KeyPart {
  lock: KeyInspection['lock'];
  events: KeyEvent[];
}

/** A key as another worker finds it. */
export interface KeyNames {
  lockKey: string;
  /** Resource and text of the key and of those that share its row. */
  names: { resource: string; text: string }[];
}

/** What the parent asks a worker. */
export type AskedOfWorker = {
  /** Answers once it can serve connections of the common port, with where the worker alone is reached. */
  start: { question: WorkerOrder; answer: { address: string } };
  /** The addresses of all workers. Answered once the worker knows those as members. */
  siblings: { question: readonly string[]; answer: null };
  metrics: { question: null; answer: MetricFamilies };
  ready: { question: null; answer: Readiness };
  key: { question: KeyNames; answer: KeyPart };
  /** Read the configuration again, and have the others follow. */
  reload: { question: null; answer: null };
  /** Follow a configuration that another worker has read and checked. Answers whether its switches are complete. */
  follow: { question: Config; answer: boolean };
  /** Drain and end. */
  stop: { question: null; answer: null };
};

/** What a worker asks the parent, which asks all of them. */
export type AskedOfParent = {
  /** This worker can be asked now. Messages that were sent to it before are lost. */
  hello: { question: null; answer: null };
  metrics: { question: null; answer: string };
  ready: { question: null; answer: Readiness };
  key: { question: KeyNames; answer: KeyPart[] };
  /** This worker follows a new configuration. Answers whether all the others do, with their switches complete. */
  reloaded: { question: Config; answer: boolean };
  /** This worker has drained so far that it needs no more connections. Answered once the port is closed to it. */
  closePort: { question: null; answer: null };
  /** This worker has got a signal to stop, and ends after this; these are its last metrics. */
  leaving: { question: MetricFamilies; answer: null };
};
