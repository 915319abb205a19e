-- How far each change log has been followed, by the slot's name. The row is written about once a second.
create table lockstep_changelog (
  name text primary key,
  -- The leader of the change log. Saves by others are refused.
  holder text not null,
  log_position text,
  -- Resources whose entries are still to be swept, separated by commas.
  sweeps text not null default '',
  lag_ms bigint not null default 0,
  saved_at timestamptz not null default clock_timestamp()
) with (fillfactor = 50);

-- How many rows were changed by writes that bypassed Lockstep, since the change log was first switched on.
create table lockstep_bypassed (
  table_name text primary key,
  changes bigint not null,
  last_at timestamptz not null default clock_timestamp()
) with (fillfactor = 50);

-- down
drop table lockstep_bypassed;

drop table lockstep_changelog;
