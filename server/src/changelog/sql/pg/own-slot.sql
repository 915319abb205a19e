-- Names of slots are the whole server's. Earlier versions gave every database the same one: a database that has it keeps it.
select coalesce(
  (
    select slot_name::text
    from pg_catalog.pg_replication_slots
    where slot_name = 'lockstep' and plugin = 'pgoutput' and database = current_database()
  ),
  (select 'lockstep_' || oid from pg_catalog.pg_database where datname = current_database())
) as slot
