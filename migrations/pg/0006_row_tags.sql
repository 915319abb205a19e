-- Which transaction changed the key's row last, where Lockstep did: null is the one that wrote this very row of
-- `lockstep_keys` (most writes: nothing more is stored then), 0 is a delete. A row with another `xmin` was changed by
-- another program since.
alter table lockstep_keys add column row_xid xid;

-- One row a table: rows that were changed only by transactions below `pristine_below` are as Lockstep found them.
-- `written_by` is the transaction that wrote the row: where the row's `xmin` is another one, it came out of a dump, and
-- the numbers are those of another server.
create table lockstep_tables (
  name text collate "C" primary key,
  pristine_below xid8 not null,
  written_by xid8 not null default pg_current_xact_id()
);

-- down
drop table lockstep_tables;

alter table lockstep_keys drop column row_xid;
