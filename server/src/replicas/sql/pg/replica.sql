-- Null outside recovery: one that was promoted has a log of its own. The control file may name an earlier timeline than
-- the one being replayed, never a later one.
select case when pg_is_in_recovery() then pg_last_wal_replay_lsn() end::text || '@' || lpad(to_hex(greatest(
  (select timeline_id from pg_control_checkpoint()),
  (select min_recovery_end_timeline from pg_control_recovery())
)), 8, '0') as position
