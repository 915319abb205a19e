update lockstep_audit_leases
set holder = null, expires_at_ms = 0
where resource = :resource and holder = :holder
