update lockstep_refreshes
set phase = 'failed', error = :error, ended_at_ms = (extract(epoch from clock_timestamp()) * 1000)::bigint
where resource = :resource
