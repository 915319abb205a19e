-- name: wait-for-commit
-- Waits for the transaction that is writing this key, also for one that inserts it.
select 1 from lockstep_keys where resource = :resource and `key` = :key lock in share mode

-- name: lock-key
select version, fence from lockstep_keys where resource = :resource and `key` = :key for update

-- name: add-keys
-- Makes and locks the rows of several keys, in the order in which they stand.
insert into lockstep_keys (resource, `key`, fence, version, written_at)
values {{keys}}
on duplicate key update fence = fence

-- name: lock-keys
select resource, `key`, version, fence from lockstep_keys where (resource, `key`) in ({{keys}})

-- name: count-up-version
-- Takes the key's row lock. The version is counted up at once: a write that is refused is rolled back whole.
update lockstep_keys set version = version + 1, written_at = now(6)
where resource = :resource and `key` = :key

-- name: add-key
-- Makes and locks the key's row. Another writer may have made it since the update found none: then it is counted up.
insert into lockstep_keys (resource, `key`, fence, version, written_at)
values (:resource, :key, 0, 1, now(6))
on duplicate key update version = version + 1, written_at = now(6)

-- name: store-key
-- What the write leaves: its fence, if it has one, and the digest of the row as it is now.
update lockstep_keys set fence = greatest(fence, :fence), row_digest = :row_digest
where resource = :resource and `key` = :key

-- name: lock-key-and-row
-- The key's row, which the write has locked, whether the policy is still the writer's, and the row itself, locked here.
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
-- Held until the commit: who switches the policy waits for the writes of the old one.
select 1 from lockstep_policies where resource = :name and epoch = :epoch lock in share mode

-- name: list-recent-keys
select `key` from lockstep_keys where resource = :resource order by written_at desc limit :count

-- name: read-policy-epoch
select epoch from lockstep_policies where resource = :resource
