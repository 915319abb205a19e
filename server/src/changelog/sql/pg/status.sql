select
  (extract(epoch from clock_timestamp() - saved_at) * 1000)::bigint as saved_ago_ms,
  lag_ms,
  sweeps
from lockstep_changelog
where name = :name and log_position is not null
