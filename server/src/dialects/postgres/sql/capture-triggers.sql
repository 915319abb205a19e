-- name: read-place
-- The schema of Lockstep's own tables; no row before they have the column for captured rows.
select quote_ident(n.nspname) as place
from pg_catalog.pg_class as c
join pg_catalog.pg_namespace as n on n.oid = c.relnamespace
join pg_catalog.pg_attribute as a on a.attrelid = c.oid and a.attname = 'changes' and not a.attisdropped
where c.oid = to_regclass('lockstep_invalidations')

-- name: read-table
-- The table, and its capture triggers with the texts of their functions.
select
  c.relkind = 'p' or c.relispartition as is_partitioned,
  coalesce((
    select json_agg(json_build_object(
      'name', t.tgname, 'isEnabled', t.tgenabled in ('O', 'A'), 'body', p.prosrc
    ) order by t.tgname)
    from pg_catalog.pg_trigger as t
    join pg_catalog.pg_proc as p on p.oid = t.tgfoid
    where t.tgrelid = c.oid and t.tgname like 'lockstep\_capture\_%'
  ), '[]')::text as triggers
from pg_catalog.pg_class as c
where c.oid = to_regclass(:table)

-- name: list-installed
-- Every function of capture triggers that writes Lockstep's tables here, with its triggers.
select
  p.oid::regprocedure::text as routine,
  format('drop function %s', p.oid::regprocedure) as drop_routine,
  coalesce((
    select json_agg(format('drop trigger %I on %s', t.tgname, t.tgrelid::regclass) order by t.tgname)
    from pg_catalog.pg_trigger as t
    where t.tgfoid = p.oid and t.tgparentid = 0
  ), '[]')::text as drop_triggers
from pg_catalog.pg_proc as p
where p.pronamespace = (select relnamespace from pg_catalog.pg_class where oid = to_regclass('lockstep_invalidations'))
  and p.proname like 'lockstep\_capture\_%'
order by p.proname
