insert into lockstep_dead_letters
  (id, resource, `key`, version, cache_key, related, attempts, created_at, died_at, error)
select id, resource, `key`, version, cache_key, related, attempts, created_at, now(6), :error
from lockstep_outbox
where id = :id
