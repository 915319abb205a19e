-- Null outside recovery: one that was promoted has a log of its own.
select case when pg_is_in_recovery() then pg_last_wal_replay_lsn() end::text as position
