select
  concat(c.table_schema, '.', c.table_name) as table_id,
  concat(@@hostname, ':', @@port, ':', @@server_id) as server,
  c.column_name as name,
  c.column_type as sql_type,
  c.data_type as base_type,
  c.is_nullable = 'YES' as nullable,
  c.column_default is not null and c.column_default <> 'NULL' as has_default,
  c.extra as extra,
  c.data_type = 'datetime' and (c.column_default like 'current_timestamp%' or c.extra like '%on update%') as filled_with_now,
  coalesce(c.generation_expression, '') <> '' as computed,
  c.character_maximum_length as max_length,
  c.collation_name as collation
from information_schema.columns as c
where c.table_schema = {{schema}} and c.table_name = :name
order by c.ordinal_position
