insert into lockstep_shared_servers (instance, cache_id, lock_ids, seen_at)
values (:instance, :cacheId, :lockIds, utc_timestamp(6))
on duplicate key update cache_id = values(cache_id), lock_ids = values(lock_ids), seen_at = values(seen_at)
