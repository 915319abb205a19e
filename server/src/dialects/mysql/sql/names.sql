-- name: add-cluster
insert into lockstep_cluster (place, name) values (1, :name) on duplicate key update place = place

-- name: add-row-name
insert into lockstep_shared_rows (id, table_name, key_columns, name)
values (:id, :table_name, :key_columns, :name)
on duplicate key update id = id
