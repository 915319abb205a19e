-- Why a claim was refused: life left of the lease, and age of the last scheduled run.
select
  expires_at_ms - cast(unix_timestamp(now(3)) * 1000 as signed) as lease_left_ms,
  cast(unix_timestamp(now(3)) * 1000 as signed) - scheduled_at_ms as scheduled_ago_ms
from lockstep_audit_leases
where resource = :resource
