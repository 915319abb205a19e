select instance, cache_id, lock_ids, cast(seen_at as char) as seen_at
from lockstep_shared_servers
where instance <> :instance
  and seen_at between utc_timestamp(6) - interval :expiryMs * 1000 microsecond
    and utc_timestamp(6) + interval :expiryMs * 1000 microsecond
