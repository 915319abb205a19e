-- name: wait-for-commit
-- Waits for a transaction that is writing this key. Returns no row if the key was never written.
select true from lockstep_keys where resource = :resource::text and key = :key::text for share

-- name: wait-for-first-commit
-- The same if no row is visible: waits for a transaction that is inserting the key. Must be rolled back.
insert into lockstep_keys (resource, key) values (:resource::text, :key::text) on conflict do nothing

-- name: lock-key
-- Locks the key's row, where there is one, until the end of the transaction.
select true from lockstep_keys where resource = :resource::text and key = :key::text for no key update

-- name: lock-keys
-- Locks the rows of several keys, always in the same order, and reads them.
select k.resource, k.key, k.version, k.fence
from unnest(:resources::text[], :keys::text[]) as asked (resource, key)
join lockstep_keys as k on k.resource = asked.resource and k.key = asked.key
order by k.resource, k.key
for no key update of k

-- name: add-keys
insert into lockstep_keys (resource, key)
select asked.resource, asked.key
from unnest(:resources::text[], :keys::text[]) as asked (resource, key)
order by asked.resource collate "C", asked.key collate "C"
on conflict (resource, key) do nothing

-- name: count-up-version
-- Takes the key's row lock and counts up the version. Returns no row if the write is not admitted. Capture triggers know
-- by `lockstep.own` that the transaction is Lockstep's.
insert into lockstep_keys as k (resource, key, fence, version, row_xid)
select :resource::text, :key::text, {{fence}}::bigint, 1, null
from set_config('lockstep.own', 'on', true) as own
{{where}}
on conflict (resource, key) do update
  set version = k.version + 1,
      fence = greatest(k.fence, excluded.fence),
      written_at = excluded.written_at,
      row_xid = null
  where {{admitted}}
returning k.version

-- name: record-row-xid
-- Stores which transaction wrote the row's present state: a trigger may have written it in a subtransaction, or nothing
-- may have been written. Most rows were written by the same transaction as the key's row; for them nothing is stored.
update lockstep_keys as k
set row_xid = :row_xid::xid
where k.resource = :resource::text and k.key = :key::text
  and coalesce(k.row_xid, k.xmin) is distinct from :row_xid::xid

-- name: raise-fence
with raised as (
  insert into lockstep_keys as k (resource, key, fence)
  values (:resource, :key, :fence)
  on conflict (resource, key) do update
    set fence = excluded.fence, row_xid = coalesce(k.row_xid, k.xmin)
    where k.fence < excluded.fence
    and (:held_fences::bigint[] is null or k.fence = any(:held_fences::bigint[]))
  returning k.fence
){{recorded}}
select fence from raised

-- name: store-fences
update lockstep_keys as k
set fence = asked.fence, row_xid = coalesce(k.row_xid, k.xmin)
from unnest(:resources::text[], :keys::text[], :fences::bigint[]) as asked (resource, key, fence)
where k.resource = asked.resource and k.key = asked.key

-- name: read-versions
select k.key, k.version, k.fence, coalesce(k.row_xid, k.xmin)::text as row_xid
from lockstep_keys as k
where resource = :resource::text and key = any(:keys::text[])

-- name: is-policy-current
exists (select from lockstep_policies where resource = :policy::text and epoch = :epoch::bigint)

-- name: list-recent-keys
select key from {{sampled}} as k
where resource = :resource
order by written_at desc
limit :count

-- name: read-policy-epoch
select epoch from lockstep_policies where resource = :resource
