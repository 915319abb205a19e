select count(*) as open from lockstep_audit_findings where status in ('open', 'failed')
