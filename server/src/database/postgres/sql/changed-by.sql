case
    when k.version > 0 and coalesce(r.xmin, '0'::xid) = coalesce(k.row_xid, k.xmin) then null
    else coalesce(r.xmin, '0'::xid)::text
  end