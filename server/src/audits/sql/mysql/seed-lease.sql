-- A free lease for the claim to update.
insert ignore into lockstep_audit_leases (resource, holder, expires_at_ms, scheduled_at_ms)
values (:resource, null, 0, null)
