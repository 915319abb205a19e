-- name: add-to-publication
alter publication {{publication}} add table {{tables}}

-- name: create-publication
create publication {{publication}} for table {{tables}} with (publish_via_partition_root = true)

-- name: create-slot
select lsn::text as lsn from pg_create_logical_replication_slot(:slot, 'pgoutput')

-- name: create-failover-slot
-- From PostgreSQL 17 on, a standby with sync_replication_slots = on copies such a slot, so that it survives a failover.
select lsn::text as lsn from pg_create_logical_replication_slot(:slot, 'pgoutput', false, false, true)

-- name: drop-slot
select pg_drop_replication_slot(:slot)::text as dropped

-- name: end-stream
-- Ends the stream of another Lockstep process, which no longer leads and has not noticed yet.
select pg_terminate_backend(:pid::integer) as ended

-- name: name-own-slot
-- A slot's name must be unique on the whole server. Earlier versions always used 'lockstep': a database that has a slot
-- of that name keeps it.
select coalesce(
  (
    select slot_name::text
    from pg_catalog.pg_replication_slots
    where slot_name = 'lockstep' and plugin = 'pgoutput' and database = current_database()
  ),
  (select 'lockstep_' || oid from pg_catalog.pg_database where datname = current_database())
) as slot

-- name: read-retained-log
select
  pg_wal_lsn_diff(pg_current_wal_lsn(), restart_lsn)::bigint::text as bytes,
  safe_wal_size::text as left_bytes
from pg_catalog.pg_replication_slots
where slot_name = :slot

-- name: read-publication
select
  p.pubname is not null as is_there,
  has_database_privilege(current_database(), 'CREATE') as may_create,
  pg_has_role(p.pubowner, 'USAGE') as is_owner,
  p.pubinsert and p.pubupdate and p.pubdelete and p.pubtruncate as publishes_all,
  coalesce(
    (
      select json_agg(json_build_array(t.schemaname, t.tablename, t.rowfilter is not null))
      from pg_catalog.pg_publication_tables as t
      where t.pubname = p.pubname
    ),
    '[]'
  ) as tables
from (values (1)) as always
left join pg_catalog.pg_publication as p on p.pubname = :publication

-- name: read-requirements
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
  -- A managed service grants this role instead of the attribute.
  or exists (
    select from pg_catalog.pg_roles
    where rolname = 'rds_replication' and pg_has_role(current_user, oid, 'member')
  ) as may_replicate,
  not exists (
    select from pg_catalog.pg_replication_slots
    where slot_name = :slot and (plugin, database) is distinct from ('pgoutput', current_database())
  ) as is_slot_own

-- name: read-slot
select
  s.slot_name is not null as is_there,
  s.plugin,
  s.database = current_database() as is_here,
  s.active_pid,
  s.confirmed_flush_lsn::text as confirmed,
  s.wal_status,
  current_setting('server_version_num')::integer >= 170000 as has_failover_slots,
  (extract(epoch from clock_timestamp()) * 1000)::bigint as now_ms
from (values (1)) as always
left join pg_catalog.pg_replication_slots as s on s.slot_name = :slot

-- name: read-snapshot
select pg_current_snapshot()::text as snapshot

-- name: read-table-storage
-- Where the rows of each table are stored: its own file, its partitions and the tables that inherit from it. If the
-- answer changes, rows were removed, added or rewritten without being logged.
select
  asked.oid::text as oid,
  (
    select string_agg(part.oid::text || ' ' || coalesce(pg_relation_filenode(part.oid)::text, ''), ',' order by part.oid)
    from (
      with recursive tree (oid) as (
        select asked.oid
        union
        select i.inhrelid from pg_catalog.pg_inherits as i join tree on i.inhparent = tree.oid
      )
      select tree.oid from tree
    ) as part
  ) as storage,
  exists (select from pg_catalog.pg_inherits as i where i.inhparent = asked.oid) as has_parts
from unnest(:oids::oid[]) as asked (oid)

-- name: list-tables
-- The configured tables, and the columns by which the log identifies their rows.
select
  asked.name,
  c.oid::text as oid,
  n.nspname as schema,
  c.relname as relation,
  c.relkind in ('r', 'p') and c.relpersistence = 'p' as can_be_followed,
  c.relreplident as identity,
  pg_has_role(c.relowner, 'USAGE') as is_owner,
  coalesce(
    (
      select json_agg(a.attname)
      from pg_catalog.pg_index as i
      join pg_catalog.pg_attribute as a on a.attrelid = i.indrelid and a.attnum = any(i.indkey)
      where i.indrelid = c.oid
        and case c.relreplident when 'd' then i.indisprimary when 'i' then i.indisreplident else false end
    ),
    '[]'
  ) as identity_columns
from unnest(:names::text[], :quoted::text[]) as asked (name, quoted)
left join pg_catalog.pg_class as c on c.oid = to_regclass(asked.quoted)
left join pg_catalog.pg_namespace as n on n.oid = c.relnamespace
