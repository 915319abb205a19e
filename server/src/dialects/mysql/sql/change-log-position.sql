-- name: count-bypassed
insert into lockstep_bypassed (table_name, changes, last_at)
values (:table, :changes, now(6))
on duplicate key update changes = changes + :changes, last_at = now(6)

-- name: limit-idle-time
-- If a session is silent for this long, its machine is gone.
set session wait_timeout = :silenceSeconds

-- name: lock
-- The lock belongs to this session and ends with its process. A lock's name is unique on the whole server.
select get_lock(concat('lockstep-', left(sha2(concat(database(), '/', :name), 256), 32)), 0) as locked

-- name: read
select log_position, sweeps, followed from lockstep_changelog where name = :name

-- name: take-over
insert into lockstep_changelog (name, holder, sweeps, saved_at)
values (:name, :holder, '', now(6))
on duplicate key update holder = :holder

-- name: lift-idle-limit
set session wait_timeout = default

-- name: unlock
select release_lock(concat('lockstep-', left(sha2(concat(database(), '/', :name), 256), 32))) as unlocked
