-- name: read-clock-and-zone
select
  unix_timestamp(now(6)) * 1000 as now_ms,
  if(@@global.time_zone = 'SYSTEM', @@system_time_zone, @@global.time_zone) as zone

-- name: count-replicas
-- Those that this account may see.
select count(*) as replicas from information_schema.processlist where command like 'Binlog Dump%'
