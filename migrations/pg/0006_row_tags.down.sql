drop table lockstep_tables;

alter table lockstep_keys drop column row_xid;
