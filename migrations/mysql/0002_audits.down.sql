drop table lockstep_audit_findings;

drop table lockstep_audit_runs;

drop table lockstep_audit_leases;
