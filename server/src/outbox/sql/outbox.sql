-- name: delete-dead-letter
delete from lockstep_dead_letters where id = :id

-- name: retry-dead-letter
insert into lockstep_outbox (resource, "key", version, cache_key, related, created_at, retry_at)
select resource, "key", version, cache_key, related, created_at, {{clock}}
from lockstep_dead_letters
where id = :id and called_key is null
for update
