insert into lockstep_refreshes (resource, started_by, phase, started_at_ms)
values (:resource, :trigger, 'reading', cast(unix_timestamp(now(3)) * 1000 as signed))
on duplicate key update
  started_by = values(started_by), phase = 'reading', row_count = 0, removed_count = 0,
  started_at_ms = values(started_at_ms), ended_at_ms = null, error = null
