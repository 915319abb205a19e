-- name: record-heartbeat
with beat as (
  insert into lockstep_members (instance, url, expiry_ms, is_leaving, started_at, seen_at)
  values (:instance, :url, :expiryMs::bigint, :isLeaving::boolean, clock_timestamp(), clock_timestamp())
  on conflict (instance) do update
  set url = excluded.url, expiry_ms = excluded.expiry_ms, is_leaving = excluded.is_leaving, seen_at = excluded.seen_at
  returning instance, url, is_leaving, started_at
)
select instance, url, is_leaving, 0::bigint as seen_ago_ms, (extract(epoch from clock_timestamp() - started_at) * 1000)::bigint as up_ms
from beat
union all
(
  select instance, url, is_leaving,
    (extract(epoch from clock_timestamp() - seen_at) * 1000)::bigint,
    (extract(epoch from clock_timestamp() - started_at) * 1000)::bigint
  from lockstep_members
  where instance <> :instance
    and seen_at between clock_timestamp() - expiry_ms * interval '1 millisecond' and clock_timestamp() + expiry_ms * interval '1 millisecond'
  order by instance
  limit :limit
)

-- name: list-live
select instance, url, is_leaving,
  (extract(epoch from clock_timestamp() - seen_at) * 1000)::bigint as seen_ago_ms,
  (extract(epoch from clock_timestamp() - started_at) * 1000)::bigint as up_ms
from lockstep_members
where instance = :instance
  or seen_at between clock_timestamp() - expiry_ms * interval '1 millisecond' and clock_timestamp() + expiry_ms * interval '1 millisecond'
order by instance
limit :limit

-- name: prune
delete from lockstep_members where seen_at < clock_timestamp() - expiry_ms * interval '1 millisecond' - interval '1 hour'
