-- The end of what is in the log, commits among it whose outcome nobody has seen yet.
select pg_current_wal_insert_lsn()::text as position
