-- name: record-heartbeat
insert into lockstep_members (instance, url, expiry_ms, is_leaving, started_at, seen_at)
values (:instance, :url, :expiryMs, :isLeaving, utc_timestamp(6), utc_timestamp(6))
on duplicate key update url = values(url), expiry_ms = values(expiry_ms), is_leaving = values(is_leaving), seen_at = values(seen_at)

-- name: list-live
select instance, url, is_leaving,
  cast(timestampdiff(microsecond, seen_at, utc_timestamp(6)) / 1000 as signed) as seen_ago_ms,
  cast(timestampdiff(microsecond, started_at, utc_timestamp(6)) / 1000 as signed) as up_ms
from lockstep_members
where instance = :instance
  or seen_at between utc_timestamp(6) - interval expiry_ms * 1000 microsecond and utc_timestamp(6) + interval expiry_ms * 1000 microsecond
order by instance
limit :limit

-- name: prune
delete from lockstep_members where seen_at < utc_timestamp(6) - interval expiry_ms * 1000 microsecond - interval 1 hour
