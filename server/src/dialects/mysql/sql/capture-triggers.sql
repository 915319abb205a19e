-- name: read-place
-- The database of Lockstep's own tables; no row before they have the column for captured rows.
select c.table_schema as place
from information_schema.columns as c
where c.table_schema = database() and c.table_name = 'lockstep_invalidations' and c.column_name = 'changes'

-- name: read-table
select 1 as is_there
from information_schema.tables as t
where t.table_schema = {{schema}} and t.table_name = :name

-- name: list-triggers
-- The capture triggers of one table, if the account may see them.
select t.trigger_name as name, t.action_statement as body
from information_schema.triggers as t
where t.event_object_schema = {{schema}} and t.event_object_table = :name
  and t.trigger_name like 'lockstep!_capture!_%' escape '!'
order by t.trigger_name

-- name: list-installed
-- Every capture trigger that the account may see.
select t.trigger_schema as place, t.trigger_name as name, t.action_statement as body
from information_schema.triggers as t
where t.trigger_name like 'lockstep!_capture!_%' escape '!'
order by t.trigger_schema, t.trigger_name
