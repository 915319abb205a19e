-- Times are milliseconds since the epoch by this server's clock.

-- One row for each job: its leader, and when its last scheduled run began.
create table lockstep_audit_leases (
  resource varchar(190) primary key,
  holder varchar(64),
  expires_at_ms bigint not null,
  scheduled_at_ms bigint
) engine = InnoDB default character set utf8mb4 collate utf8mb4_bin;

create table lockstep_audit_runs (
  id bigint auto_increment primary key,
  resource varchar(190) not null,
  started_by varchar(20) not null,
  status varchar(20) not null,
  repair_rule varchar(20) not null,
  started_at_ms bigint not null,
  ended_at_ms bigint,
  sampled integer not null default 0,
  stale integer not null default 0,
  orphan integer not null default 0,
  negative_stale integer not null default 0,
  corrupt integer not null default 0,
  no_ttl integer not null default 0,
  repaired integer not null default 0,
  failed integer not null default 0,
  error text
) engine = InnoDB default character set utf8mb4 collate utf8mb4_bin;

create table lockstep_audit_findings (
  id bigint auto_increment primary key,
  run_id bigint not null,
  resource varchar(190) not null,
  key_text text not null,
  cache_key text not null,
  class varchar(20) not null,
  sampled_from varchar(20) not null,
  found_at_ms bigint not null,
  database_side mediumtext not null,
  cache_side mediumtext not null,
  status varchar(20) not null,
  repair_rule varchar(20),
  repair_at_ms bigint,
  repair_error text
) engine = InnoDB default character set utf8mb4 collate utf8mb4_bin;

create index lockstep_audit_findings_status on lockstep_audit_findings (status, resource);

-- down
drop table lockstep_audit_findings;

drop table lockstep_audit_runs;

drop table lockstep_audit_leases;
