select lsn::text as lsn from pg_create_logical_replication_slot(:slot, 'pgoutput')
