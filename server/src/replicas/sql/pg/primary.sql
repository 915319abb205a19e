-- The end of what is in the log, commits among it whose outcome nobody has seen yet, and its timeline.
select pg_current_wal_insert_lsn()::text || '@' || left(pg_walfile_name(pg_current_wal_insert_lsn()), 8) as position
