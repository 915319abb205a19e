/** A made-up schema with names and tables that a proposal must get right, for each database. */
import type { DatabaseClient } from '@lockstep/testkit/servers';

const COMMON = {
  pg: [
    'create table users (id bigint primary key, email varchar(200) not null unique, name text, born date)',
    'create table user_roles (user_id bigint references users on delete cascade, role varchar(20), primary key (user_id, role))',
    'create table "order" (id uuid primary key, "select" text, placed timestamptz not null default now())',
    'create table "Order" (id integer primary key, total numeric(9, 2))',
    'create table "price.list" (id integer primary key, "odd name {x}" text)',
    'create table " blank name " ("key column" integer primary key, v text)',
    'create table "ÜBER\nTABLE" (id integer primary key)',
    'create table "2nd" (id integer primary key)',
    'create table log_lines (at timestamptz, line text)',
    'create table maybe (code text unique)',
    'create table loose (at timetz primary key)',
    'create schema other',
    'create table other.users (id integer primary key, note text)',
    'create table other.parts (a integer, b text, primary key (a, b))',
    'create view names as select id, name from users',
    'create table searched (id integer primary key, words text, found pg_node_tree)',
  ],
  mysql2: [
    'create table users (id bigint primary key, email varchar(200) not null unique, name text, born date)',
    'create table user_roles (user_id bigint, role varchar(20), primary key (user_id, role), foreign key (user_id) references users (id) on delete cascade)',
    'create table `order` (id varchar(36) primary key, `select` text, placed timestamp not null default current_timestamp)',
    'create table `orders-2` (id integer primary key, total decimal(9, 2))',
    'create table `price.list` (id integer primary key, `odd name {x}` text)',
    'create table ` blank name` (`key column` integer primary key, v text)',
    'create table `ÜBER\nTABLE` (id integer primary key)',
    'create table `2nd` (id integer primary key)',
    'create table log_lines (at timestamp null, line text)',
    'create table maybe (code varchar(20) unique)',
    'create table counted (id integer primary key) engine = MyISAM',
    'create view names as select id, name from users',
  ],
} as const;

export const hostileSchema = (client: DatabaseClient): readonly string[] => COMMON[client];
