(
      select since.distance < 2147483648 and since.next_xid - since.distance < :pristine_below::bigint
      from (
        select next_xid, (next_xid - r.xmin::text::bigint) & 4294967295 as distance
        from (select pg_snapshot_xmax(pg_current_snapshot())::text::bigint as next_xid) as now
      ) as since
    )