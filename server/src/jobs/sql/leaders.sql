-- Who leads each job, in a table with the name of its first user: `resource` holds the job's name.
-- Times are milliseconds since 1970 by the database's clock.

-- name: renew
update lockstep_audit_leases
set expires_at_ms = {{nowMs}} + :termMs::bigint
where resource = :job and holder = :leader

-- name: resign
update lockstep_audit_leases
set holder = null, expires_at_ms = 0
where resource = :job and holder = :leader

-- name: read-term
-- Why an election was refused: what is left of the term, and the age of the last scheduled run.
select
  expires_at_ms - {{nowMs}} as term_left_ms,
  {{nowMs}} - scheduled_at_ms as scheduled_ago_ms
from lockstep_audit_leases
where resource = :job
