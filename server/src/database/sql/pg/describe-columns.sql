select
  a.attrelid::oid::text as table_id,
  (
    select n.nspname
    from pg_catalog.pg_class as r
    join pg_catalog.pg_namespace as n on n.oid = r.relnamespace
    where r.oid = a.attrelid
  ) as schema,
  a.attname as name,
  pg_catalog.format_type(a.atttypid, a.atttypmod) as sql_type,
  base.typname as base_type,
  base.typtype as base_kind,
  not (a.attnotnull or t.typnotnull) as nullable,
  (a.atthasdef or t.typdefault is not null) and a.attgenerated = '' as has_default,
  a.attgenerated <> '' as computed,
  a.attidentity as identity,
  coalesce(pg_catalog.pg_get_expr(d.adbin, d.adrelid) like 'nextval(%', false) as serial,
  coalesce(nullif(a.atttypmod, -1), nullif(t.typtypmod, -1)) - 4 as max_length,
  coalesce(not c.collisdeterministic, false) as nondeterministic
from pg_catalog.pg_attribute as a
join pg_catalog.pg_type as t on t.oid = a.atttypid
join pg_catalog.pg_type as base
  on base.oid = case when t.typtype = 'd' then t.typbasetype else t.oid end
left join pg_catalog.pg_attrdef as d on d.adrelid = a.attrelid and d.adnum = a.attnum
left join pg_catalog.pg_collation as c on c.oid = a.attcollation
where a.attrelid = to_regclass(:table) and a.attnum > 0 and not a.attisdropped
order by a.attnum
