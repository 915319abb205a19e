-- name: find
select request_hash, resource, `key`, result
from lockstep_idempotency
where idempotency_key = :idempotency_key and created_at > now(6) - interval 24 hour

-- name: list-present
-- Also those that are too old to count.
select idempotency_key from lockstep_idempotency where idempotency_key in (:keys)

-- name: delete-old
delete from lockstep_idempotency
where idempotency_key = :idempotency_key and created_at <= now(6) - interval 24 hour

-- name: prune
delete from lockstep_idempotency
where created_at <= now(6) - interval 24 hour
order by created_at
limit :limit

-- name: add-refusal
insert into lockstep_idempotency (idempotency_key, request_hash, resource, `key`, result, created_at)
values (:idempotency_key, :request_hash, :resource, :key, :result, now(6))
on duplicate key update request_hash = request_hash

-- name: add
insert into lockstep_idempotency (idempotency_key, request_hash, resource, `key`, result, created_at)
values (:idempotency_key, :request_hash, :resource, :key, :result, now(6))

-- name: add-several
insert into lockstep_idempotency (idempotency_key, request_hash, resource, `key`, result, created_at)
values {{outcomes}}
