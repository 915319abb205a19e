-- name: list-relations
-- Tables and what looks like one, without partitions, temporary tables, and those that belong to an extension.
select n.nspname as schema, c.relname as name, pg_table_is_visible(c.oid) as is_visible
from pg_catalog.pg_class as c
join pg_catalog.pg_namespace as n on n.oid = c.relnamespace
where c.relkind in ('r', 'p', 'v', 'm', 'f')
  and not c.relispartition
  and c.relpersistence <> 't'
  and n.nspname !~ '^pg_' and n.nspname <> 'information_schema'
  and c.relname not like 'lockstep\_%'
  and not exists (
    select 1 from pg_catalog.pg_depend as d
    where d.classid = 'pg_catalog.pg_class'::regclass and d.objid = c.oid and d.deptype = 'e'
  )
order by not pg_table_is_visible(c.oid), n.nspname, c.relname

