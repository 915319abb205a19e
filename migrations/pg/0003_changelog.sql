-- How far the change log has been worked through, by slot: the row is written about once a second.
create table lockstep_changelog (
  name text primary key,
  -- Who works through it; another one's saves are refused.
  holder text not null,
  log_position text,
  -- Resources whose entries are still to be swept, separated by commas.
  sweeps text not null default '',
  lag_ms bigint not null default 0,
  saved_at timestamptz not null default clock_timestamp()
) with (fillfactor = 50);

-- Rows changed by writes that went round Lockstep, since the change log was first switched on.
create table lockstep_bypassed (
  table_name text primary key,
  changes bigint not null,
  last_at timestamptz not null default clock_timestamp()
) with (fillfactor = 50);

-- down
drop table lockstep_bypassed;

drop table lockstep_changelog;
