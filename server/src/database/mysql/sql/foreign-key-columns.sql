select u.constraint_name as name, u.column_name as child, u.referenced_column_name as parent, c.data_type as type
from information_schema.key_column_usage as u
join information_schema.columns as c
  on c.table_schema = u.table_schema and c.table_name = u.table_name and c.column_name = u.column_name
where u.table_schema = :schema and u.table_name = :table and u.referenced_table_name is not null
order by u.constraint_name, u.ordinal_position
