update lockstep_audit_runs
set
  status = :status,
  ended_at_ms = cast(unix_timestamp(now(3)) * 1000 as signed),
  sampled = :sampled,
  stale = :stale,
  orphan = :orphan,
  negative_stale = :negativeStale,
  corrupt = :corrupt,
  no_ttl = :noTtl,
  repaired = :repaired,
  failed = :failed,
  error = :error
where id = :id and status = 'running'
