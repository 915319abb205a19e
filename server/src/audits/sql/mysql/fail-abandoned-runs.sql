update lockstep_audit_runs
set status = 'failed', ended_at_ms = cast(unix_timestamp(now(3)) * 1000 as signed), error = :error
where resource = :resource and status = 'running'
