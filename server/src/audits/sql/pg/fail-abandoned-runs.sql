update lockstep_audit_runs
set status = 'failed', ended_at_ms = (extract(epoch from clock_timestamp()) * 1000)::bigint, error = :error
where resource = :resource and status = 'running'
