-- Of one child, whose name the server looks up: without it each table of the schema would be opened.
select
  r.constraint_name as name,
  concat(r.unique_constraint_schema, '.', r.referenced_table_name) as parent,
  concat(r.constraint_schema, '.', r.table_name) as child,
  r.constraint_schema as child_schema,
  r.table_name as child_name,
  r.delete_rule as on_delete,
  r.update_rule as on_update
from information_schema.referential_constraints as r
where r.constraint_schema = :schema and r.table_name = :table
  and (r.delete_rule in ('CASCADE', 'SET NULL', 'SET DEFAULT')
    or r.update_rule in ('CASCADE', 'SET NULL', 'SET DEFAULT'))
