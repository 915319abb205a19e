select instance, url, is_leaving,
  cast(timestampdiff(microsecond, seen_at, utc_timestamp(6)) / 1000 as signed) as seen_ago_ms,
  cast(timestampdiff(microsecond, started_at, utc_timestamp(6)) / 1000 as signed) as up_ms
from lockstep_members
where instance = :instance
  or seen_at between utc_timestamp(6) - interval expiry_ms * 1000 microsecond and utc_timestamp(6) + interval expiry_ms * 1000 microsecond
order by instance
limit :limit
