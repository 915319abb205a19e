-- name: complete
update lockstep_refreshes
set phase = 'done', removed_count = :removed,
    ended_at_ms = cast(unix_timestamp(now(3)) * 1000 as signed),
    good_rows = row_count, good_at_ms = ended_at_ms, good_took_ms = ended_at_ms - started_at_ms
where resource = :resource
