select
  resource, phase, row_count, removed_count, started_at_ms, ended_at_ms, error, good_rows, good_at_ms, good_took_ms
from lockstep_refreshes
