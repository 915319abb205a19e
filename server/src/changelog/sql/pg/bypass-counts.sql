select
  table_name,
  changes,
  (extract(epoch from clock_timestamp() - last_at) * 1000)::bigint as ago_ms
from lockstep_bypassed
order by changes desc, table_name
limit :limit
