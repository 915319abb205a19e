select c.relname as name, pg_has_role(c.relowner, 'USAGE') as is_owner
from pg_catalog.pg_class as c
where c.relnamespace = (select oid from pg_catalog.pg_namespace where nspname = current_schema())
  and c.relkind in ('r', 'p')
  and c.relname like 'lockstep\_%'
order by c.relname
