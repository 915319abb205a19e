-- Runs of the last hour stay whatever their number: consistency is computed from them.
delete from lockstep_audit_runs
where
  id <= (select bound from (select max(id) - :keep as bound from lockstep_audit_runs) as newest)
  and ended_at_ms < cast(unix_timestamp(now(3)) * 1000 as signed) - 3600000
