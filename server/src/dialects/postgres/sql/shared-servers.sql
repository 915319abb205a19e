-- name: add
insert into lockstep_shared_servers (instance, cache_id, lock_ids, seen_at)
values (:instance, :cacheId, :lockIds, clock_timestamp())
on conflict (instance) do update
set cache_id = excluded.cache_id, lock_ids = excluded.lock_ids, seen_at = excluded.seen_at

-- name: list-ages
select instance, extract(epoch from clock_timestamp() - seen_at) * 1000 as age_ms
from lockstep_shared_servers

-- name: list-others
select instance, cache_id, lock_ids, seen_at::text as seen_at
from lockstep_shared_servers
where instance <> :instance
  and seen_at between clock_timestamp() - :expiryMs * interval '1 millisecond'
    and clock_timestamp() + :expiryMs * interval '1 millisecond'

-- name: prune
delete from lockstep_shared_servers where seen_at < clock_timestamp() - interval '1 hour'
