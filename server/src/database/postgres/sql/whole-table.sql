select r.xmin::text, pg_snapshot_xmax(pg_current_snapshot())::text, {{columns}} from {{table}} as r limit :limit
