-- name: list-relations
select t.table_schema as `schema`, t.table_name as name, 1 as is_visible
from information_schema.tables as t
where t.table_schema = database()
  and t.table_type <> 'SEQUENCE'
  and t.table_name not like 'lockstep\_%'
order by t.table_name

