insert into lockstep_audit_runs (resource, started_by, status, repair_rule, started_at_ms)
values (:resource, :trigger, 'running', :repair, (extract(epoch from clock_timestamp()) * 1000)::bigint)
returning id
