-- Times are milliseconds since the epoch by this server's clock.

-- One row for each job: its leader, and when its last scheduled run began.
create table lockstep_audit_leases (
  resource text primary key,
  holder text,
  expires_at_ms bigint not null,
  scheduled_at_ms bigint
);

create table lockstep_audit_runs (
  id bigint generated always as identity primary key,
  resource text not null,
  started_by text not null,
  status text not null,
  repair_rule text not null,
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
);

create table lockstep_audit_findings (
  id bigint generated always as identity primary key,
  run_id bigint not null,
  resource text not null,
  key_text text not null,
  cache_key text not null,
  class text not null,
  sampled_from text not null,
  found_at_ms bigint not null,
  database_side text not null,
  cache_side text not null,
  status text not null,
  repair_rule text,
  repair_at_ms bigint,
  repair_error text
);
create index lockstep_audit_findings_status on lockstep_audit_findings (status, resource);

-- down
drop table lockstep_audit_findings;

drop table lockstep_audit_runs;

drop table lockstep_audit_leases;
