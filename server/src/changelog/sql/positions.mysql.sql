-- name: count-bypassed
insert into lockstep_bypassed (table_name, changes, last_at)
values (:table, :changes, now(6))
on duplicate key update changes = changes + :changes, last_at = now(6)

-- name: limit-idle-time
-- A session that has been silent for so long is that of a machine which is gone.
set session wait_timeout = :silenceSeconds

-- name: lock
-- Belongs to this session: it goes with its process. Names of locks are the whole server's.
select get_lock(concat('lockstep-', left(sha2(concat(database(), '/', :name), 256), 32)), 0) as locked

-- name: read
select log_position, sweeps from lockstep_changelog where name = :name

-- name: take-over
insert into lockstep_changelog (name, holder, sweeps, saved_at)
values (:name, :holder, '', now(6))
on duplicate key update holder = :holder

-- name: lift-idle-limit
set session wait_timeout = default

-- name: unlock
select release_lock(concat('lockstep-', left(sha2(concat(database(), '/', :name), 256), 32))) as unlocked
