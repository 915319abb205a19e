-- What holds the rows of each table: its own file, its partitions and the tables that inherit from it. Another answer
-- means that rows were taken away, put there or rewritten without a word in the log.
select
  asked.oid::text as oid,
  (
    select string_agg(part.oid::text || ' ' || coalesce(pg_relation_filenode(part.oid)::text, ''), ',' order by part.oid)
    from (
      with recursive tree (oid) as (
        select asked.oid
        union
        select i.inhrelid from pg_catalog.pg_inherits as i join tree on i.inhparent = tree.oid
      )
      select tree.oid from tree
    ) as part
  ) as storage,
  exists (select from pg_catalog.pg_inherits as i where i.inhparent = asked.oid) as has_parts
from unnest(:oids::oid[]) as asked (oid)
