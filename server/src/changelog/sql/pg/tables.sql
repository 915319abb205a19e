-- The tables as they are now, and by which columns the log identifies their rows.
select
  asked.name,
  c.oid::text as oid,
  n.nspname as schema,
  c.relname as relation,
  c.relkind in ('r', 'p') and c.relpersistence = 'p' as can_be_followed,
  c.relreplident as identity,
  coalesce(
    (
      select json_agg(a.attname)
      from pg_catalog.pg_index as i
      join pg_catalog.pg_attribute as a on a.attrelid = i.indrelid and a.attnum = any(i.indkey)
      where i.indrelid = c.oid
        and case c.relreplident when 'd' then i.indisprimary when 'i' then i.indisreplident else false end
    ),
    '[]'
  ) as identity_columns
from unnest(:names::text[], :quoted::text[]) as asked (name, quoted)
left join pg_catalog.pg_class as c on c.oid = to_regclass(asked.quoted)
left join pg_catalog.pg_namespace as n on n.oid = c.relnamespace
