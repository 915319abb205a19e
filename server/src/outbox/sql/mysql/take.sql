select
  id, resource, `key`, version, cache_key, related, attempts,
  timestampdiff(microsecond, coalesce(due_at, created_at), now(6)) div 1000 as age_ms
from lockstep_outbox
where
  case
    when retry_at is null then created_at <= now(6) - interval :grace_ms * 1000 microsecond
    else retry_at <= now(6)
  end
order by id
limit :limit
for update skip locked
