import type { LogNames } from '../changelog/index.ts';
import type { Config } from '../config/index.ts';
import type { Database } from '../database/index.ts';
import type { Resource } from '../domain/index.ts';
import type { Metrics } from '../metrics/index.ts';
import type { Runtime } from '../runtime/index.ts';
import type { Servers } from './servers.ts';

/** What a coordinator is made of, once its servers answer and its tables are there. */
export interface EngineOptions {
  instance: string;
  /** The cluster's name, which its entries contain. */
  cluster: string;
  logNames: LogNames;
  config: Config;
  servers: Servers;
  database: Database;
  /** The configured resources by name; a reload replaces them. */
  resources: Map<string, Resource>;
  metrics: Metrics;
  runtime: Runtime;
}
