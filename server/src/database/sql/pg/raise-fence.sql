with raised as (
  insert into lockstep_keys as k (resource, key, fence)
  values (:resource, :key, :fence)
  on conflict (resource, key) do update set fence = excluded.fence where k.fence < excluded.fence
  returning k.fence
){{recorded}}
select fence from raised
