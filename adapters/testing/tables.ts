import { createConnection } from 'mysql2/promise';
import pg from 'pg';
import type { DatabaseClient } from '@lockstep/testkit/servers';

/** The tables of the adapters' tests. `profiles` has a column of each kind. */
export const TABLES: Record<DatabaseClient, readonly string[]> = {
  pg: [
    `create table accounts (id bigint primary key, owner text not null, balance bigint not null default 0)`,
    `create table profiles (id bigint primary key, name text not null, score numeric(20,2), visits integer,
      active boolean, seen_at timestamptz(3), birthday date, document jsonb, photo bytea)`,
    `create table routes (origin text, destination text, miles integer not null, primary key (origin, destination))`,
  ],
  mysql2: [
    `create table accounts (id bigint primary key, owner varchar(100) character set utf8mb4 collate utf8mb4_bin not null,
      balance bigint not null default 0)`,
    `create table profiles (id bigint primary key, name varchar(200) not null, score decimal(20,2), visits int,
      active tinyint(1), seen_at timestamp(3) null, birthday date, document json, photo blob)`,
    `create table routes (origin varchar(100), destination varchar(100), miles int not null, primary key (origin, destination))`,
  ],
};

/** The database by its plain driver. */
export interface PlainDatabase {
  run(statement: string): Promise<void>;
  close(): Promise<void>;
}

const OPEN: Record<DatabaseClient, (url: string) => Promise<PlainDatabase>> = {
  pg: async (connectionString) => {
    const connection = new pg.Client({ connectionString });
    await connection.connect();
    return {
      run: async (statement) => void (await connection.query(statement)),
      close: () => connection.end(),
    };
  },
  mysql2: async (uri) => {
    const connection = await createConnection({ uri, timezone: 'Z' });
    return {
      run: async (statement) => void (await connection.query(statement)),
      close: () => connection.end(),
    };
  },
};

export const openDatabase = (client: DatabaseClient, url: string): Promise<PlainDatabase> =>
  OPEN[client](url);
