-- name: add-cluster
insert into lockstep_cluster (place, name) values (1, :name) on conflict do nothing

-- name: add-row-name
insert into lockstep_shared_rows (id, table_name, key_columns, name)
values (:id, :table_name, :key_columns, :name)
on conflict do nothing

-- name: add-known-table
-- Transactions in flight may still change rows, so the bound is below the oldest of them.
insert into lockstep_tables (name, pristine_below)
values (:name, pg_snapshot_xmin(pg_current_snapshot()))
on conflict (name) do nothing

-- name: read-known-table
-- Null if the row was restored from a dump: its numbers are then those of another server.
select case when t.xmin = t.written_by::xid then t.pristine_below::text end as pristine_below
from lockstep_tables as t
where t.name = :name
