-- The cache and the lock nodes that each running coordinator uses, by ids that are stored on those servers.
-- Coordinators that use different servers must not serve at the same time. Times are UTC by this server's clock.
create table lockstep_shared_servers (
  instance varbinary(255) not null primary key,
  cache_id varchar(255) not null,
  lock_ids varchar(2048) not null,
  seen_at datetime(6) not null
) engine = InnoDB default charset = utf8mb4 collate = utf8mb4_bin;

-- down
drop table lockstep_shared_servers;
