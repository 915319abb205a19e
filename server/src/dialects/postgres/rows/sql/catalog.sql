-- name: describe-columns
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
  -- A user's own type may have the same name as a built-in one.
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
  case
    when a.attidentity <> '' then
      format('nextval(%L::regclass)', pg_get_serial_sequence(
        coalesce(pg_partition_root(a.attrelid), a.attrelid)::regclass::text, a.attname))
    when a.attgenerated = '' then
      coalesce(pg_catalog.pg_get_expr(d.adbin, d.adrelid), pg_catalog.pg_get_expr(t.typdefaultbin, 0))
  end as default_sql,
  a.attgenerated <> '' as computed,
  a.attidentity as identity,
  coalesce(pg_catalog.pg_get_expr(d.adbin, d.adrelid) like 'nextval(%', false) as serial,
  nullif(under.modifier, -1) - 4 as max_length,
  coalesce(not c.collisdeterministic, false) as nondeterministic
from pg_catalog.pg_attribute as a
join pg_catalog.pg_type as t on t.oid = a.atttypid
cross join lateral (
  -- The type beneath a domain, through any number of domains.
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

-- name: describe-keys
-- Unique keys that an insert can name as its conflict target: not partial, not deferrable, and of plain columns.
select
  i.indisprimary as is_primary,
  json_agg(a.attname order by place.number)::text as columns
from pg_catalog.pg_index as i
cross join lateral unnest(i.indkey::int2[]) with ordinality as place (attnum, number)
join pg_catalog.pg_attribute as a on a.attrelid = i.indrelid and a.attnum = place.attnum
where i.indrelid = to_regclass(:table)
  and i.indisunique and i.indisvalid and i.indimmediate
  and i.indpred is null and i.indexprs is null
  and place.number <= i.indnkeyatts
group by i.indexrelid, i.indisprimary
order by i.indisprimary desc, i.indexrelid

-- name: describe-side-effects
-- The triggers and rules that act when a row of the table or of one of its partitions is written, without triggers that
-- are disabled or fire only in replication.
with recursive relation as (
  select c.oid, c.relkind, coalesce(pg_partition_root(c.oid), c.oid) as root
  from pg_catalog.pg_class as c
  where c.oid = to_regclass(:table)
),
part as (
  select oid from relation
  union
  select i.inhrelid from part join pg_catalog.pg_inherits as i on i.inhparent = part.oid
),
acting as (
  select t.tgname::text as name, false as is_rule, t.tginitdeferred as is_deferred
  from pg_catalog.pg_trigger as t
  where t.tgrelid in (select oid from part)
    -- A partition's copy of its parent's trigger may be marked as internal.
    and (not t.tgisinternal or (t.tgparentid <> 0 and t.tgconstraint = 0))
    and t.tgenabled in ('O', 'A')
    -- INSERT, DELETE or UPDATE; not TRUNCATE.
    and (t.tgtype & 28) <> 0
    -- Capture triggers change no row of it.
    and t.tgname not like 'lockstep\_capture\_%'
  union all
  select r.rulename::text, true, false
  from pg_catalog.pg_rewrite as r
  where r.ev_class in (select oid from part) and r.ev_type <> '1' and r.ev_enabled in ('O', 'A')
)
select
  relation.relkind as kind,
  relation.root::oid::text as root,
  exists (select from part where part.oid <> relation.oid) as has_children,
  coalesce((select json_agg(distinct name order by name) from acting), '[]')::text as triggers,
  coalesce((select bool_or(is_rule) from acting), false) as has_rules,
  coalesce((select bool_or(is_deferred) from acting), false) or exists (
    select from pg_catalog.pg_constraint as c
    where c.condeferred
      and (c.conrelid in (select oid from part) or c.confrelid in (select oid from part))
  ) as is_deferred,
  -- Where the rows are stored, and who may see them. The text changes with each truncate, rewrite or exchange of a
  -- partition, and with each change of row security.
  (
    select string_agg(
      concat_ws(' ', c.oid, c.relfilenode, c.relrowsecurity, c.relforcerowsecurity), ',' order by c.oid
    )
    from pg_catalog.pg_class as c where c.oid in (select oid from part)
  ) as storage,
  (
    select string_agg(
      concat_ws(' ', p.oid, p.polcmd, p.polpermissive, p.polroles::text, p.polqual::text, p.polwithcheck::text),
      ',' order by p.oid
    )
    from pg_catalog.pg_policy as p where p.polrelid in (select oid from part)
  ) as row_security
from relation

-- name: list-foreign-key-actions
-- The foreign keys through which changes of these tables' rows change other rows, directly or through further foreign
-- keys. A partition counts as its table.
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

-- name: count-table-blocks
select coalesce(sum(pg_relation_size(relid)), 0) / current_setting('block_size')::int
from pg_partition_tree(to_regclass(:table))

-- name: sample-keys
-- {{sampled}} is the table, or a random part of its blocks where it is large.
select {{key}} from {{sampled}} as r order by random() limit :count

-- name: list-keys
select {{key}} from {{table}} as r limit :count
