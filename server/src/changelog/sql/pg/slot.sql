select
  s.slot_name is not null as is_there,
  s.plugin,
  s.database = current_database() as is_here,
  s.active_pid,
  s.confirmed_flush_lsn::text as confirmed,
  s.wal_status,
  (extract(epoch from clock_timestamp()) * 1000)::bigint as now_ms
from (values (1)) as always
left join pg_catalog.pg_replication_slots as s on s.slot_name = :slot
