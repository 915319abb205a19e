-- name: list-own-tables
select c.relname as name, pg_has_role(c.relowner, 'USAGE') as is_owner
from pg_catalog.pg_class as c
where c.relnamespace = (select oid from pg_catalog.pg_namespace where nspname = current_schema())
  and c.relkind in ('r', 'p')
  and c.relname like 'lockstep\_%'
order by c.relname

-- name: list-missing-rights
select t.name, p.privilege
from unnest(:tables::text[]) as t (name)
cross join (values (1, 'select'), (2, 'insert'), (3, 'update'), (4, 'delete')) as p (place, privilege)
where to_regclass(t.name) is not null
  and not has_table_privilege(to_regclass(t.name)::oid, p.privilege)
  and not (p.privilege <> 'delete' and has_any_column_privilege(to_regclass(t.name)::oid, p.privilege))
order by t.name, p.place

-- name: describe-server
select
  current_setting('server_version') as version,
  pg_is_in_recovery() as is_standby,
  current_setting('default_transaction_read_only') = 'on' as is_read_only,
  current_user as account,
  current_schema() as own_schema,
  coalesce(has_schema_privilege(current_schema(), 'CREATE'), false) as may_create
