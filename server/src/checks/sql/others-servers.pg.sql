select instance, cache_id, lock_ids, seen_at::text as seen_at
from lockstep_shared_servers
where instance <> :instance
  and seen_at between clock_timestamp() - :expiryMs * interval '1 millisecond'
    and clock_timestamp() + :expiryMs * interval '1 millisecond'
