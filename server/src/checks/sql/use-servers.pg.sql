insert into lockstep_shared_servers (instance, cache_id, lock_ids, seen_at)
values (:instance, :cacheId, :lockIds, clock_timestamp())
on conflict (instance) do update
set cache_id = excluded.cache_id, lock_ids = excluded.lock_ids, seen_at = excluded.seen_at
