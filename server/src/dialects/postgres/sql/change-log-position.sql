-- name: count-bypassed
insert into lockstep_bypassed as b (table_name, changes)
values (:table, :changes)
on conflict (table_name) do update
  set changes = b.changes + excluded.changes, last_at = excluded.last_at

-- name: lock
-- The lock belongs to this session. If the process ends, the lock ends at once; if the machine is gone, it ends when
-- the session has been silent for too long. The limit does not affect transactions of this session.
select
  pg_try_advisory_lock(hashtextextended(:name, 7400)) as locked,
  set_config('idle_session_timeout', :silenceMs::text, false) as silence

-- name: reset-idle-time
-- The session goes back to the pool, where it may be idle for any length of time.
reset idle_session_timeout

-- name: take-over
insert into lockstep_changelog as log (name, holder)
values (:name, :holder)
on conflict (name) do update set holder = excluded.holder
returning log_position, sweeps, followed

-- name: unlock
select
  pg_advisory_unlock(hashtextextended(:name, 7400)) as unlocked,
  set_config('idle_session_timeout', '0', false) as silence
