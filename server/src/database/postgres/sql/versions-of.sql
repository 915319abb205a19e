select k.key, k.version, k.fence, coalesce(k.row_xid, k.xmin)::text as row_xid
from lockstep_keys as k
where resource = :resource::text and key = any(:keys::text[])
