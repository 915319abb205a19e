-- name: add-cluster
insert into lockstep_cluster (place, name) values (1, :name) on conflict do nothing

-- name: add-row-name
insert into lockstep_shared_rows (id, table_name, key_columns, name)
values (:id, :table_name, :key_columns, :name)
on conflict do nothing

-- name: add-known-table
-- Transactions that are still under way may change rows yet: only what is below all of them is over.
insert into lockstep_tables (name, pristine_below)
values (:name, pg_snapshot_xmin(pg_current_snapshot()))
on conflict (name) do nothing

-- name: read-known-table
-- Null where the row came out of a dump: the numbers are another server's then, and say nothing here.
select case when t.xmin = t.written_by::xid then t.pristine_below::text end as pristine_below
from lockstep_tables as t
where t.name = :name
