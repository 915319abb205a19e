select
  current_setting('server_version') as version,
  pg_is_in_recovery() as is_standby,
  current_setting('default_transaction_read_only') = 'on' as is_read_only,
  current_user as account,
  current_schema() as own_schema,
  coalesce(has_schema_privilege(current_schema(), 'CREATE'), false) as may_create
