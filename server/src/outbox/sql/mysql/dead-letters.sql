select
  id, resource, `key`, version, cache_key, attempts, error,
  floor(unix_timestamp(created_at) * 1000) as created_at_ms
from lockstep_dead_letters
order by id desc
limit :limit
