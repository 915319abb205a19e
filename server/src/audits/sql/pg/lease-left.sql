-- Why a claim was refused: life left of the lease, and age of the last scheduled run.
select
  expires_at_ms - (extract(epoch from clock_timestamp()) * 1000)::bigint as lease_left_ms,
  (extract(epoch from clock_timestamp()) * 1000)::bigint - scheduled_at_ms as scheduled_ago_ms
from lockstep_audit_leases
where resource = :resource
