update lockstep_refreshes
set phase = 'failed', error = :error, ended_at_ms = cast(unix_timestamp(now(3)) * 1000 as signed)
where resource = :resource
