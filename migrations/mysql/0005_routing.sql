-- One row for each coordinator that runs, or ran a moment ago. Times are UTC by this server's clock.
create table lockstep_members (
  instance varbinary(255) not null primary key,
  url varchar(512) not null,
  expiry_ms bigint not null,
  is_leaving tinyint not null,
  started_at datetime(6) not null,
  seen_at datetime(6) not null
) engine = InnoDB default charset = utf8mb4 collate = utf8mb4_bin;

-- down
drop table lockstep_members;
