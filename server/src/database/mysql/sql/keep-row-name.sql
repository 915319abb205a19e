insert into lockstep_shared_rows (id, table_name, key_columns, name)
values (:id, :table_name, :key_columns, :name)
on duplicate key update id = id
