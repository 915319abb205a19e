-- One row for each table whose rows several resources share by the same columns: the name under which versions, fences,
-- locks and outbox rows are kept. It stays when resources come and go.
create table lockstep_shared_rows (
  id text collate "C" primary key,
  table_name text not null,
  key_columns text not null,
  name text collate "C" not null unique
);

-- down
drop table lockstep_shared_rows;
