-- Foreign keys by which the server changes rows of these tables without a word in the log.
select c.constraint_schema as db, c.table_name as name, group_concat(c.constraint_name order by c.constraint_name separator ', ') as silent_keys
from information_schema.referential_constraints as c
where c.constraint_schema in (:databases) and c.table_name in (:relations)
  and (c.delete_rule in ('CASCADE', 'SET NULL') or c.update_rule in ('CASCADE', 'SET NULL'))
group by c.constraint_schema, c.table_name
