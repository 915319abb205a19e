select instance, url, is_leaving,
  (extract(epoch from clock_timestamp() - seen_at) * 1000)::bigint as seen_ago_ms,
  (extract(epoch from clock_timestamp() - started_at) * 1000)::bigint as up_ms
from lockstep_members
where instance = :instance
  or seen_at between clock_timestamp() - expiry_ms * interval '1 millisecond' and clock_timestamp() + expiry_ms * interval '1 millisecond'
order by instance
limit :limit
