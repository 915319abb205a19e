-- name: begin
insert into lockstep_refreshes (resource, started_by, phase, started_at_ms)
values (:resource, :trigger, 'reading', {{nowMs}})
on conflict (resource) do update set
  started_by = excluded.started_by, phase = 'reading', row_count = 0, removed_count = 0,
  started_at_ms = excluded.started_at_ms, ended_at_ms = null, error = null

-- name: fail
update lockstep_refreshes
set phase = 'failed', error = :error, ended_at_ms = {{nowMs}}
where resource = :resource

-- name: list
select
  resource, phase, row_count, removed_count, started_at_ms, ended_at_ms, error, good_rows, good_at_ms, good_took_ms
from lockstep_refreshes

-- name: begin-swap
update lockstep_refreshes set phase = 'swapping', row_count = :rows where resource = :resource
