-- name: primary
-- The end of the log and its timeline. The log includes commits that are not visible yet.
select pg_current_wal_insert_lsn()::text || '@' || left(pg_walfile_name(pg_current_wal_insert_lsn()), 8) as position

-- name: primary-identity
select system_identifier::text as identity from pg_control_system()

-- name: replica
-- Null if the server is not in recovery: a promoted server has its own log. The control file may name an earlier
-- timeline than the one that is replayed, never a later one.
select case when pg_is_in_recovery() then pg_last_wal_replay_lsn() end::text || '@' || lpad(to_hex(greatest(
  (select timeline_id from pg_control_checkpoint()),
  (select min_recovery_end_timeline from pg_control_recovery())
)), 8, '0') as position
