-- name: list-own-tables
select table_name as name
from information_schema.tables
where table_schema = database() and table_name like 'lockstep\_%'
order by table_name

-- name: describe-server
select
  version() as version,
  0 as is_standby,
  @@global.read_only <> 'OFF' and @@global.read_only <> 0 as is_read_only,
  current_user() as account,
  database() as own_schema,
  1 as may_create

-- name: read-place
select database() as name, '' as place
