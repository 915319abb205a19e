select
  current_setting('wal_level') as wal_level,
  current_setting('max_wal_senders')::integer as wal_senders,
  current_setting('max_replication_slots')::integer
    - (select count(*) from pg_catalog.pg_replication_slots where slot_name <> :slot) as free_slots,
  coalesce(
    (
      select bool_or(rolsuper or rolreplication)
      from pg_catalog.pg_roles
      where rolname = current_user
    ),
    false
  )
  -- What a managed service gives instead of the attribute.
  or exists (
    select from pg_catalog.pg_roles
    where rolname = 'rds_replication' and pg_has_role(current_user, oid, 'member')
  ) as may_replicate,
  exists (select from pg_catalog.pg_publication where pubname = :publication)
    or has_database_privilege(current_database(), 'CREATE') as may_publish,
  not exists (
    select from pg_catalog.pg_replication_slots
    where slot_name = :slot and (plugin, database) is distinct from ('pgoutput', current_database())
  ) as is_slot_own
