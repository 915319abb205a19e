insert into lockstep_refreshes (resource, started_by, phase, started_at_ms)
values (:resource, :trigger, 'reading', (extract(epoch from clock_timestamp()) * 1000)::bigint)
on conflict (resource) do update set
  started_by = excluded.started_by, phase = 'reading', row_count = 0, removed_count = 0,
  started_at_ms = excluded.started_at_ms, ended_at_ms = null, error = null
