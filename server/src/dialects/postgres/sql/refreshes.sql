-- name: complete
with clock as (select (extract(epoch from clock_timestamp()) * 1000)::bigint as now_ms)
update lockstep_refreshes
set phase = 'done', removed_count = :removed, ended_at_ms = now_ms,
    good_rows = row_count, good_at_ms = now_ms, good_took_ms = now_ms - started_at_ms
from clock
where resource = :resource
