select
  id, resource, key, version, cache_key, related, attempts,
  (extract(epoch from now() - coalesce(due_at, created_at)) * 1000)::bigint as age_ms
from lockstep_outbox
where
  case
    when retry_at is null then created_at <= now() - :grace_ms::float8 * interval '1 millisecond'
    else retry_at <= now()
  end
order by id
limit :limit
for update skip locked
