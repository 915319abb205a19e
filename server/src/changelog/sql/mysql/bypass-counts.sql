select
  table_name,
  changes,
  timestampdiff(microsecond, last_at, now(6)) div 1000 as ago_ms
from lockstep_bypassed
order by changes desc, table_name
limit :limit
