-- One row for each table whose rows several resources share by the same columns: the name under which versions, fences,
-- locks and outbox rows are kept. It stays when resources come and go.
create table lockstep_shared_rows (
  id varchar(64) not null primary key,
  table_name text not null,
  key_columns text not null,
  name varbinary(128) not null unique
) engine = InnoDB default charset = utf8mb4 collate = utf8mb4_bin;

-- down
drop table lockstep_shared_rows;
