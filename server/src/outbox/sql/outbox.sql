-- name: delete-dead-letter
delete from lockstep_dead_letters where id = :id

-- name: retry-dead-letter
insert into lockstep_outbox (resource, "key", version, cache_key, related, created_at, retry_at)
select resource, "key", version, cache_key, related, created_at, {{clock}}
from lockstep_dead_letters
where id = :id and called_key is null
for update

-- name: left-of
-- Reads the whole queue, which is short but for the time when the cache is away.
(
  select id, resource, "key", version, cache_key, related, attempts, 0 as age_ms, 0 as is_dead
  from lockstep_outbox
  where resource = :resource and "key" = :key and version >= :from_version and due_at is null
  order by id
  limit :limit
)
union all
(
  select id, resource, "key", version, cache_key, null, attempts, 0, 1
  from lockstep_dead_letters
  where resource = :resource and "key" = :key and version >= :from_version
  limit 1
)
