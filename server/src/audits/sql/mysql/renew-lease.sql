update lockstep_audit_leases
set expires_at_ms = cast(unix_timestamp(now(3)) * 1000 as signed) + :leaseTtlMs
where resource = :resource and holder = :holder
