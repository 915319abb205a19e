update lockstep_audit_leases
set expires_at_ms = (extract(epoch from clock_timestamp()) * 1000)::bigint + :leaseTtlMs::bigint
where resource = :resource and holder = :holder
