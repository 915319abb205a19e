-- What acts when a row of the table or of one of its partitions is written. Triggers that are disabled, or that fire in
-- replication only, do not count.
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
  -- Where the rows are, and who may see them: another text after each truncate, rewrite or exchange of a part, and after
  -- a change of row security.
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
