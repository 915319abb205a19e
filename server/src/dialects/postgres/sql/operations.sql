-- name: read-clock-and-zone
-- The zone is that of sessions which set none; Lockstep's own sets one.
select
  (extract(epoch from clock_timestamp()) * 1000)::text as now_ms,
  (select reset_val from pg_catalog.pg_settings where name = 'TimeZone') as zone

-- name: count-replicas
-- Without readers of the change log.
select count(*)::text as replicas
from pg_catalog.pg_stat_replication as r
where not exists (
  select 1 from pg_catalog.pg_replication_slots as s where s.active_pid = r.pid and s.slot_type = 'logical'
)

-- name: read-failover-slot
-- PostgreSQL before 17 has no such column.
select to_jsonb(s) ->> 'failover' as failover
from pg_catalog.pg_replication_slots as s
where s.slot_name = :slot

-- name: list-idle-slots
select
  slot_name as name,
  coalesce(pg_size_pretty(pg_wal_lsn_diff(pg_current_wal_lsn(), restart_lsn)), '0 bytes') as kept
from pg_catalog.pg_replication_slots
where not active
order by slot_name
