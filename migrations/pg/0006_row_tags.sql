-- Lockstep's last transaction that changed the row. Null: the one that also wrote this row of `lockstep_keys` (as for
-- most writes). 0: it deleted the row. If the row's `xmin` is different, another program has changed the row since.
alter table lockstep_keys add column row_xid xid;

-- One row for each table. Rows that only transactions below `pristine_below` have changed are as Lockstep first found
-- them.
-- `written_by` is the transaction that wrote this row. If the row's `xmin` is different, it was restored from a dump,
-- and its numbers are those of another server.
create table lockstep_tables (
  name text collate "C" primary key,
  pristine_below xid8 not null,
  written_by xid8 not null default pg_current_xact_id()
);

-- down
drop table lockstep_tables;

alter table lockstep_keys drop column row_xid;
