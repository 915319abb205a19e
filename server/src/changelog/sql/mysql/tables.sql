-- The followed tables that are there, and those whose rows a foreign key's action changes without a word in the log.
select
  t.table_schema as db,
  t.table_name as name,
  (
    select group_concat(c.constraint_name order by c.constraint_name separator ', ')
    from information_schema.referential_constraints as c
    where c.constraint_schema = t.table_schema
      and c.table_name = t.table_name
      and (c.delete_rule in ('CASCADE', 'SET NULL') or c.update_rule in ('CASCADE', 'SET NULL'))
  ) as silent_keys
from information_schema.tables as t
where t.table_type = 'BASE TABLE'
  and concat(t.table_schema, '.', t.table_name) in (:names)
