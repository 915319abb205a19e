(
      select coalesce(k.row_xid, k.xmin) from lockstep_keys as k
      where k.resource = :resource::text and k.key = :key::text
    )