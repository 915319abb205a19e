insert into lockstep_audit_runs (resource, started_by, status, repair_rule, started_at_ms)
values (:resource, :trigger, 'running', :repair, cast(unix_timestamp(now(3)) * 1000 as signed))
