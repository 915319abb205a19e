-- Ids have next to no gaps, so the newest ones are those nearest to the greatest id.
delete from lockstep_audit_findings
where id <= (
  select bound from (select max(id) - :keep::bigint as bound from lockstep_audit_findings) as newest
)
