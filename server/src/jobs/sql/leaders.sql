-- The leader of each job. Audits were the first jobs, hence the name of the table; `resource` is the job's name.
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
-- Shows why an election was refused: the rest of the term, and the age of the last scheduled run.
select
  expires_at_ms - {{nowMs}} as term_left_ms,
  {{nowMs}} - scheduled_at_ms as scheduled_ago_ms
from lockstep_audit_leases
where resource = :job
