update lockstep_audit_leases
set
  holder = :holder,
  expires_at_ms = cast(unix_timestamp(now(3)) * 1000 as signed) + :leaseTtlMs,
  scheduled_at_ms = case
    when :notSinceMs is null then scheduled_at_ms
    else cast(unix_timestamp(now(3)) * 1000 as signed)
  end
where
  resource = :resource
  and expires_at_ms <= cast(unix_timestamp(now(3)) * 1000 as signed)
  and (
    :notSinceMs is null
    or scheduled_at_ms is null
    or scheduled_at_ms <= cast(unix_timestamp(now(3)) * 1000 as signed) - :notSinceMs
  )
