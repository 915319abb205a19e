select
  version() as version,
  0 as is_standby,
  @@global.read_only <> 'OFF' and @@global.read_only <> 0 as is_read_only,
  current_user() as account,
  database() as own_schema,
  1 as may_create
