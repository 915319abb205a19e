/** The databases: everything that one of them does in its own way is in its folder. */
import {
  type Database,
  type DatabaseOptions,
  openDatabase as openWith,
  openReplica as openReplicaWith,
  type Dialect,
  type ReplicaDatabase,
} from '../database/index.ts';
import { mysql } from './mysql/dialect.ts';
import { postgres } from './postgres/dialect.ts';

/** By `database.client`. A further database is a folder and a line here (docs/recipes.md). */
export const DIALECTS = { pg: postgres, mysql2: mysql } as const satisfies Record<string, Dialect>;

/** A database, as `database.client` names it. */
export type DatabaseClient = keyof typeof DIALECTS;

export const DATABASE_CLIENTS = Object.keys(DIALECTS) as [DatabaseClient, ...DatabaseClient[]];

type OpenOptions = Omit<DatabaseOptions, 'dialect'> & { client: DatabaseClient };

/** Opens a database. Nothing is connected until it is used. */
export const openDatabase = ({ client, ...options }: OpenOptions): Database =>
  openWith({ ...options, dialect: DIALECTS[client] });

/** Opens a replica of the database. Nothing is connected until it is used. */
export const openReplica = ({ client, ...options }: OpenOptions): ReplicaDatabase =>
  openReplicaWith({ ...options, dialect: DIALECTS[client] });
