update lockstep_keys as k
set fence = asked.fence, row_xid = coalesce(k.row_xid, k.xmin)
from unnest(:resources::text[], :keys::text[], :fences::bigint[]) as asked (resource, key, fence)
where k.resource = asked.resource and k.key = asked.key
