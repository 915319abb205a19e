-- name: primary
-- The end of what is in the log, commits among it whose outcome nobody has seen yet, and its timeline.
select pg_current_wal_insert_lsn()::text || '@' || left(pg_walfile_name(pg_current_wal_insert_lsn()), 8) as position

-- name: primary-identity
select system_identifier::text as identity from pg_control_system()

-- name: replica
-- Null outside recovery: one that was promoted has a log of its own. The control file may name an earlier timeline than
-- the one being replayed, never a later one.
select case when pg_is_in_recovery() then pg_last_wal_replay_lsn() end::text || '@' || lpad(to_hex(greatest(
  (select timeline_id from pg_control_checkpoint()),
  (select min_recovery_end_timeline from pg_control_recovery())
)), 8, '0') as position
