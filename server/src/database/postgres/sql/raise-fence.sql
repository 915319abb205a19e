with raised as (
  insert into lockstep_keys as k (resource, key, fence)
  values (:resource, :key, :fence)
  on conflict (resource, key) do update
    set fence = excluded.fence, row_xid = coalesce(k.row_xid, k.xmin)
    where k.fence < excluded.fence
    and (:held_fences::bigint[] is null or k.fence = any(:held_fences::bigint[]))
  returning k.fence
){{recorded}}
select fence from raised
