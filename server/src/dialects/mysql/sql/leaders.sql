-- name: add-job
-- A row without a leader, for the election to update.
insert ignore into lockstep_audit_leases (resource, holder, expires_at_ms, scheduled_at_ms)
values (:job, null, 0, null)

-- name: elect
update lockstep_audit_leases
set
  holder = :leader,
  expires_at_ms = cast(unix_timestamp(now(3)) * 1000 as signed) + :termMs,
  scheduled_at_ms = case
    when :notSinceMs is null then scheduled_at_ms
    else cast(unix_timestamp(now(3)) * 1000 as signed)
  end
where
  resource = :job
  and expires_at_ms <= cast(unix_timestamp(now(3)) * 1000 as signed)
  and (
    :notSinceMs is null
    or scheduled_at_ms is null
    or scheduled_at_ms <= cast(unix_timestamp(now(3)) * 1000 as signed) - :notSinceMs
  )
