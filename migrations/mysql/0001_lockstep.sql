-- Every statement can be run again: DDL commits by itself here, so an interrupted migration starts from the beginning.
-- Keys are bytes, so that they compare exactly, whatever the server's collation.

create table if not exists lockstep_keys (
  resource varbinary(128) not null,
  `key` varbinary(2048) not null,
  fence bigint not null default 0,
  version bigint not null default 0,
  written_at datetime(6) not null,
  primary key (resource, `key`),
  key lockstep_keys_written_at (resource, written_at)
) engine = InnoDB row_format = dynamic default charset = utf8mb4 collate = utf8mb4_bin;

create table if not exists lockstep_outbox (
  id bigint not null auto_increment primary key,
  resource varbinary(128) not null,
  `key` varbinary(2048) not null,
  version bigint,
  cache_key longtext,
  related longtext,
  attempts int not null default 0,
  created_at datetime(6) not null,
  retry_at datetime(6),
  error text
) engine = InnoDB row_format = dynamic default charset = utf8mb4 collate = utf8mb4_bin;

create table if not exists lockstep_dead_letters (
  id bigint not null primary key,
  resource varbinary(128) not null,
  `key` varbinary(2048) not null,
  version bigint,
  cache_key longtext,
  related longtext,
  attempts int not null,
  created_at datetime(6) not null,
  died_at datetime(6) not null,
  error text not null
) engine = InnoDB row_format = dynamic default charset = utf8mb4 collate = utf8mb4_bin;

create table if not exists lockstep_idempotency (
  idempotency_key varbinary(1024) not null primary key,
  request_hash varchar(255) not null,
  resource varbinary(128) not null,
  `key` varbinary(2048) not null,
  result longtext not null,
  created_at datetime(6) not null,
  key lockstep_idempotency_created_at (created_at)
) engine = InnoDB row_format = dynamic default charset = utf8mb4 collate = utf8mb4_bin;

-- down
drop table if exists lockstep_idempotency;

drop table if exists lockstep_dead_letters;

drop table if exists lockstep_outbox;

drop table if exists lockstep_keys;
