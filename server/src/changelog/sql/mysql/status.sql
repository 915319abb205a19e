select
  timestampdiff(microsecond, saved_at, now(6)) div 1000 as saved_ago_ms,
  lag_ms,
  sweeps
from lockstep_changelog
where name = :name and log_position is not null
