-- name: list-own-tables
select c.relname as name, pg_has_role(c.relowner, 'USAGE') as is_owner
from pg_catalog.pg_class as c
where c.relnamespace = (select oid from pg_catalog.pg_namespace where nspname = current_schema())
  and c.relkind in ('r', 'p')
  and c.relname like 'lockstep\_%'
order by c.relname

-- name: describe-server
select
  current_setting('server_version') as version,
  pg_is_in_recovery() as is_standby,
  current_setting('default_transaction_read_only') = 'on' as is_read_only,
  current_user as account,
  current_schema() as own_schema,
  coalesce(has_schema_privilege(current_schema(), 'CREATE'), false) as may_create

-- name: read-place
select current_database() as name, current_schema() as place
