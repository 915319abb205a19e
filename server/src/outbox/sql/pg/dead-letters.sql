select
  id, resource, key, version, cache_key, attempts, error,
  (extract(epoch from created_at) * 1000)::bigint as created_at_ms
from lockstep_dead_letters
order by id desc
limit :limit
