-- One statement, so that of two instances that claim at once exactly one gets a row.
with clock as (select (extract(epoch from clock_timestamp()) * 1000)::bigint as now_ms)
insert into lockstep_audit_leases as lease (resource, holder, expires_at_ms, scheduled_at_ms)
select
  :resource,
  :holder,
  now_ms + :leaseTtlMs::bigint,
  case when :notSinceMs::bigint is null then null else now_ms end
from clock
on conflict (resource) do update
set
  holder = excluded.holder,
  expires_at_ms = excluded.expires_at_ms,
  scheduled_at_ms = coalesce(excluded.scheduled_at_ms, lease.scheduled_at_ms)
where
  lease.expires_at_ms <= (select now_ms from clock)
  and (
    :notSinceMs::bigint is null
    or lease.scheduled_at_ms is null
    or lease.scheduled_at_ms <= (select now_ms from clock) - :notSinceMs::bigint
  )
