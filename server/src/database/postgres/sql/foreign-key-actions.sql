-- The foreign keys that change rows with rows of these tables, and those that change further rows with them. A
-- partition counts as the table that it is a part of.
with recursive action as (
  select
    c.*,
    coalesce(pg_partition_root(c.confrelid), c.confrelid)::oid as parent,
    coalesce(pg_partition_root(c.conrelid), c.conrelid)::oid as child
  from pg_catalog.pg_constraint as c
  where c.contype = 'f' and c.conparentid = 0
    and (c.confdeltype in ('c', 'n', 'd') or c.confupdtype in ('c', 'n', 'd'))
),
reached (oid) as (
  select unnest(:tables::oid[])
  union
  select action.child from reached join action on action.parent = reached.oid
)
select
  action.conname as name,
  action.parent::text as parent,
  action.child::text as child,
  format('%I.%I', n.nspname, c.relname) as child_table,
  action.confdeltype as on_delete,
  action.confupdtype as on_update,
  (
    select json_agg(json_build_object(
      'child', own.attname, 'parent', other.attname,
      'type', pg_catalog.format_type(other.atttypid, other.atttypmod)
    ) order by place.number)
    from unnest(action.conkey, action.confkey) with ordinality as place (own, other, number)
    join pg_catalog.pg_attribute as own on own.attrelid = action.conrelid and own.attnum = place.own
    join pg_catalog.pg_attribute as other on other.attrelid = action.confrelid and other.attnum = place.other
  )::text as columns
from action
join pg_catalog.pg_class as c on c.oid = action.conrelid
join pg_catalog.pg_namespace as n on n.oid = c.relnamespace
where action.parent in (select oid from reached)
order by action.oid
