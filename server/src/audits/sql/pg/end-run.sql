update lockstep_audit_runs
set
  status = :status,
  ended_at_ms = (extract(epoch from clock_timestamp()) * 1000)::bigint,
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
