update lockstep_audit_findings
set
  status = :status,
  repair_rule = coalesce(:rule, repair_rule),
  repair_at_ms = case when :rule is null then repair_at_ms else cast(unix_timestamp(now(3)) * 1000 as signed) end,
  repair_error = case when :rule is null then repair_error else :error end
where id = :id
