-- name: elect
-- One statement, so that of two instances that ask at the same moment exactly one gets a row.
with clock as (select (extract(epoch from clock_timestamp()) * 1000)::bigint as now_ms)
insert into lockstep_audit_leases as term (resource, holder, expires_at_ms, scheduled_at_ms)
select
  :job,
  :leader,
  now_ms + :termMs::bigint,
  case when :notSinceMs::bigint is null then null else now_ms end
from clock
on conflict (resource) do update
set
  holder = excluded.holder,
  expires_at_ms = excluded.expires_at_ms,
  scheduled_at_ms = coalesce(excluded.scheduled_at_ms, term.scheduled_at_ms)
where
  term.expires_at_ms <= (select now_ms from clock)
  and (
    :notSinceMs::bigint is null
    or term.scheduled_at_ms is null
    or term.scheduled_at_ms <= (select now_ms from clock) - :notSinceMs::bigint
  )
