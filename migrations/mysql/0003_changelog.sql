-- How far each change log has been followed, by the log's name. The row is written about once a second.
create table lockstep_changelog (
  name varchar(190) primary key,
  -- The leader of the change log. Saves by others are refused.
  holder varchar(64) not null,
  log_position text,
  -- Resources whose entries are still to be swept, separated by commas.
  sweeps mediumtext not null,
  lag_ms bigint not null default 0,
  saved_at datetime(6) not null
) engine = InnoDB default character set utf8mb4 collate utf8mb4_bin;

-- How many rows were changed by writes that bypassed Lockstep, since the change log was first switched on.
create table lockstep_bypassed (
  table_name varchar(190) primary key,
  changes bigint not null,
  last_at datetime(6) not null
) engine = InnoDB default character set utf8mb4 collate utf8mb4_bin;

-- down
drop table lockstep_bypassed;

drop table lockstep_changelog;
