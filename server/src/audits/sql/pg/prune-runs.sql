-- Runs of the last hour stay whatever their number: consistency is computed from them.
delete from lockstep_audit_runs
where
  id <= (select bound from (select max(id) - :keep::bigint as bound from lockstep_audit_runs) as newest)
  and ended_at_ms < (extract(epoch from clock_timestamp()) * 1000)::bigint - 3600000
