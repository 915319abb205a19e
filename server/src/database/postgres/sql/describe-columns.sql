select
  a.attrelid::oid::text as table_id,
  (
    select n.nspname
    from pg_catalog.pg_class as r
    join pg_catalog.pg_namespace as n on n.oid = r.relnamespace
    where r.oid = a.attrelid
  ) as schema,
  coalesce(pg_partition_root(a.attrelid), a.attrelid)::oid::text as root_id,
  (
    select quote_ident(n.nspname) || '.' || quote_ident(root.relname)
    from pg_catalog.pg_class as root
    join pg_catalog.pg_namespace as n on n.oid = root.relnamespace
    where root.oid = coalesce(pg_partition_root(a.attrelid), a.attrelid)
  ) as root_name,
  a.attname as name,
  pg_catalog.format_type(a.atttypid, a.atttypmod) as sql_type,
  pg_catalog.format_type(base.oid, under.modifier) as base_sql_type,
  -- A type of the user's own may have the name of a built-in one.
  case when base.typnamespace = 'pg_catalog'::regnamespace or base.typname = 'citext' then base.typname else '' end as base_type,
  base.typtype as base_kind,
  base.typinput::text as input_function,
  case
    when element.typdelim <> ',' then null
    when element.typnamespace = 'pg_catalog'::regnamespace then element.typname
    else element.oid::text
  end as element_type,
  not (a.attnotnull or under.not_null) as nullable,
  (a.atthasdef or t.typdefault is not null) and a.attgenerated = '' as has_default,
  a.attgenerated <> '' as computed,
  a.attidentity as identity,
  coalesce(pg_catalog.pg_get_expr(d.adbin, d.adrelid) like 'nextval(%', false) as serial,
  nullif(under.modifier, -1) - 4 as max_length,
  coalesce(not c.collisdeterministic, false) as nondeterministic
from pg_catalog.pg_attribute as a
join pg_catalog.pg_type as t on t.oid = a.atttypid
cross join lateral (
  -- What is beneath a domain, and beneath the domain beneath it.
  with recursive chain as (
    select t.oid as type, a.atttypmod as modifier, false as not_null
    union all
    select
      of_chain.typbasetype,
      case when of_chain.typtypmod = -1 then chain.modifier else of_chain.typtypmod end,
      chain.not_null or of_chain.typnotnull
    from chain
    join pg_catalog.pg_type as of_chain on of_chain.oid = chain.type and of_chain.typtype = 'd'
  )
  select chain.* from chain
  join pg_catalog.pg_type as last on last.oid = chain.type and last.typtype <> 'd'
) as under
join pg_catalog.pg_type as base on base.oid = under.type
left join pg_catalog.pg_type as element on element.oid = base.typelem and element.typarray = base.oid
left join pg_catalog.pg_attrdef as d on d.adrelid = a.attrelid and d.adnum = a.attnum
left join pg_catalog.pg_collation as c on c.oid = a.attcollation
where a.attrelid = to_regclass(:table) and a.attnum > 0 and not a.attisdropped
order by a.attnum
