select
  resource,
  cast(unix_timestamp(now(3)) * 1000 as signed) - ended_at_ms as ago_ms,
  sampled,
  stale + orphan + negative_stale + corrupt + no_ttl as drift
from lockstep_audit_runs
where status = 'done' and ended_at_ms > cast(unix_timestamp(now(3)) * 1000 as signed) - 3600000
