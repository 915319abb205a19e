select
  resource,
  (extract(epoch from clock_timestamp()) * 1000)::bigint - ended_at_ms as ago_ms,
  sampled,
  stale + orphan + negative_stale + corrupt + no_ttl as drift
from lockstep_audit_runs
where status = 'done' and ended_at_ms > (extract(epoch from clock_timestamp()) * 1000)::bigint - 3600000
