-- name: wait-for-commit
-- Waits for a transaction that is writing this key, also if it inserts the key.
select 1 from lockstep_keys where resource = :resource and `key` = :key lock in share mode

-- name: lock-key
select version, fence from lockstep_keys where resource = :resource and `key` = :key for update

-- name: add-key
-- Creates the key's row, or locks it.
insert into lockstep_keys (resource, `key`, fence, version, written_at)
values (:resource, :key, 0, 0, now(6))
on duplicate key update fence = fence

-- name: add-keys
-- Creates and locks the rows of several keys, in the given order.
insert into lockstep_keys (resource, `key`, fence, version, written_at)
values {{keys}}
on duplicate key update fence = fence

-- name: lock-keys
select resource, `key`, version, fence from lockstep_keys where (resource, `key`) in ({{keys}})

-- name: count-up-version
-- Creates the key's row, or locks it, and counts up the version. A write that is refused later is rolled back as a whole.
insert into lockstep_keys (resource, `key`, fence, version, written_at)
values (:resource, :key, 0, 1, now(6))
on duplicate key update version = version + 1, written_at = now(6)

-- name: store-key
-- Stores what the write leaves: its fence, if it has one, and the digest of the new row.
update lockstep_keys set fence = greatest(fence, :fence), row_digest = :row_digest
where resource = :resource and `key` = :key

-- name: lock-key-and-row
-- Reads the key's row, which the write has locked, and whether the policy is still the writer's; reads and locks the
-- row.
select k.version, k.fence, k.row_digest, {{present}}, {{isHeld}}, {{columns}}
from lockstep_keys as k
left join {{table}} as r on {{isKey}}
where k.resource = :resource and k.`key` = :key
for update

-- name: raise-fence
insert into lockstep_keys (resource, `key`, fence, version, written_at)
values (:resource, :key, :fence, 0, now(6))
on duplicate key update fence = greatest(fence, values(fence))

-- name: store-fence
update lockstep_keys set fence = :fence where resource = :resource and `key` = :key

-- name: read-versions
select `key`, version, fence, row_digest from lockstep_keys where resource = :resource and `key` in (:keys)

-- name: lock-policy
-- Keeps a shared lock until the commit, so that a switch of the policy waits for writes by the old policy.
select 1 from lockstep_policies where resource = :name and epoch = :epoch lock in share mode

-- name: list-recent-keys
select `key` from lockstep_keys where resource = :resource order by written_at desc limit :count

-- name: read-policy-epoch
select epoch from lockstep_policies where resource = :resource

-- name: lock-free-keys
-- Locks the rows of those keys that can be had at once, and waits for none. It looks up each, however small the table is:
-- a scan would lock the rows that it passes.
select `key`, version, fence, row_digest from lockstep_keys force index (primary)
where resource = :resource and `key` in (:keys)
for update skip locked

-- name: list-known-keys
select `key` from lockstep_keys where resource = :resource and `key` in (:keys)

-- name: count-up-versions
insert into lockstep_keys (resource, `key`, fence, version, written_at)
values {{keys}}
on duplicate key update version = version + 1, written_at = now(6)

-- name: store-keys
insert into lockstep_keys (resource, `key`, fence, version, written_at, row_digest)
values {{keys}}
on duplicate key update fence = greatest(fence, values(fence)), row_digest = values(row_digest)

-- name: bound-lock-waits
-- A batch holds up many callers: whatever it has to wait for, it waits for a second at most.
set @lockstep_lock_wait = @@session.innodb_lock_wait_timeout, @@session.innodb_lock_wait_timeout = 1

-- name: restore-lock-waits
set @@session.innodb_lock_wait_timeout = @lockstep_lock_wait
