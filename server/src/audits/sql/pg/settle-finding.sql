update lockstep_audit_findings
set
  status = :status,
  repair_rule = coalesce(:rule::text, repair_rule),
  repair_at_ms = case when :rule::text is null then repair_at_ms else (extract(epoch from clock_timestamp()) * 1000)::bigint end,
  repair_error = case when :rule::text is null then repair_error else :error::text end
where id = :id
