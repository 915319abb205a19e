-- name: add-row
insert into lockstep_outbox (resource, `key`, version, related, created_at)
values (:resource, :key, :version, :related, now(6))

-- name: add-second-delete
insert into lockstep_outbox (resource, `key`, version, related, created_at, due_at, retry_at)
values (
  :resource, :key, :version, :related, now(6),
  now(6) + interval :second_delete_after_ms * 1000 microsecond,
  now(6) + interval :second_delete_after_ms * 1000 microsecond
)

-- name: add-cache-keys
insert into lockstep_outbox (resource, `key`, cache_key, created_at)
select '', '', item.cache_key, now(6)
from json_table(:cache_keys, '$[*]' columns (
  cache_key longtext character set utf8mb4 path '$'
)) as item

-- name: add-rows
insert into lockstep_outbox (resource, `key`, version, related, created_at)
values {{rows}}

-- name: list-added-rows
-- The ids of the rows that `add-rows` has just added. They need not follow one another, on a Galera cluster for example.
select id, `key`, version from lockstep_outbox
where id >= last_insert_id() and resource = :resource and due_at is null

-- name: add-second-deletes
insert into lockstep_outbox (resource, `key`, version, related, created_at, due_at, retry_at)
values {{rows}}
