select * from lockstep_audit_findings where id = :id
