select
  p.pubinsert and p.pubupdate and p.pubdelete and p.pubtruncate as publishes_all,
  coalesce(
    (
      select json_agg(json_build_array(t.schemaname, t.tablename))
      from pg_catalog.pg_publication_tables as t
      where t.pubname = p.pubname
    ),
    '[]'
  ) as tables
from pg_catalog.pg_publication as p
where p.pubname = :publication
