-- One row for the rows of a table that several resources name by the same columns: the name under which their versions,
-- fences, locks and outbox rows are kept. It stays when resources come and go.
create table lockstep_shared_rows (
  id text collate "C" primary key,
  table_name text not null,
  key_columns text not null,
  name text collate "C" not null unique
);

-- down
drop table lockstep_shared_rows;
