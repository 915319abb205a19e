-- When a second delete is due; null in the row of a first delete. `retry_at` has the same time at first.
alter table lockstep_outbox add column due_at datetime(6);

-- One row for each resource: the policy by which the whole cluster writes it. A write names its epoch, and is refused
-- if the resource has a later one. While `is_settled` is false, nothing is served from the resource's cache.
create table lockstep_policies (
  resource varbinary(128) not null primary key,
  epoch bigint not null,
  is_settled tinyint not null,
  definition longtext not null,
  switched_at datetime(6) not null
) engine = InnoDB default charset = utf8mb4 collate = utf8mb4_bin;

-- One row for each resource of policy `refresh`: its last run. Times are milliseconds since 1970 by this server's
-- clock.
create table lockstep_refreshes (
  resource varbinary(128) not null primary key,
  started_by varchar(20) not null,
  phase varchar(20) not null,
  row_count integer not null default 0,
  removed_count integer not null default 0,
  started_at_ms bigint not null,
  ended_at_ms bigint,
  error text,
  good_rows integer,
  good_at_ms bigint,
  good_took_ms bigint
) engine = InnoDB default charset = utf8mb4 collate = utf8mb4_bin;

-- down
drop table lockstep_refreshes;

drop table lockstep_policies;

alter table lockstep_outbox drop column due_at;
