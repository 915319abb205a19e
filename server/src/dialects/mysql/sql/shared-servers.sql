-- name: add
insert into lockstep_shared_servers (instance, cache_id, lock_ids, seen_at)
values (:instance, :cacheId, :lockIds, utc_timestamp(6))
on duplicate key update cache_id = values(cache_id), lock_ids = values(lock_ids), seen_at = values(seen_at)

-- name: list-ages
select instance, timestampdiff(microsecond, seen_at, utc_timestamp(6)) / 1000 as age_ms
from lockstep_shared_servers

-- name: list-others
select instance, cache_id, lock_ids, cast(seen_at as char) as seen_at
from lockstep_shared_servers
where instance <> :instance
  and seen_at between utc_timestamp(6) - interval :expiryMs * 1000 microsecond
    and utc_timestamp(6) + interval :expiryMs * 1000 microsecond

-- name: prune
delete from lockstep_shared_servers where seen_at < utc_timestamp(6) - interval 1 hour
